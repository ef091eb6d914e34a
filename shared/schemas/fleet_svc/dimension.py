"""The contract of Dimension: a projection broken down by something, such as the marketplace."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from shared.schemas.base import Count, Id, KeyName, Name, WireModel
from shared.schemas.resource_contract import ResourceContract

MAX_VALUES: Final = 1000
"""Each is judged by the schema at every write, which takes some milliseconds for so many."""


class DimensionValue(WireModel):
    """One part of the traffic."""

    key: Name
    tpm: Count


class Dimension(WireModel):
    """How the traffic of a fleet during an event divides, by the values of one dimension."""

    fleet_id: Id
    event_id: Id
    dimension_name: KeyName
    schema_id: Id | None = None
    values: Annotated[list[DimensionValue], Field(max_length=MAX_VALUES)]


DIMENSION: Final = ResourceContract(model=Dimension, owner="fleet_svc", key=("FleetId", "EventId", "DimensionName"))

"""The contract of Dimension: a projection broken down by something, such as the marketplace."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from shared.schemas.base import Count, Id, KeyName, Name, Snapshot, WireModel
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


class DimensionSnapshot(Dimension, Snapshot):
    """``dimension.{created,updated,deleted}``."""


class DimensionRead(DimensionSnapshot):
    """A dimension as it is read: its sum beside the PeakTPM of the projection, where there is one (4.488).

    ``Difference`` is by how much the sum is over the PeakTPM; it is negative where the sum is under it.
    """

    sum: Annotated[int, Field(ge=0)] | None = None
    peak_tpm: Count | None = None
    difference: int | None = None


DIMENSION: Final = ResourceContract(
    model=Dimension,
    owner="fleet_svc",
    key=("FleetId", "EventId", "DimensionName"),
    given_snapshot=DimensionSnapshot,
    given_read=DimensionRead,
)

"""Dimensions: projections broken down, each value judged by the dimension's schema (4.481, 4.486)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.judging import judge
from shared.resources import Referenced, Resource
from shared.schemas.fleet_svc.dimension import DIMENSION, Dimension
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.schema import SCHEMA, AppliesTo


def _judged(dimension: Dimension, referenced: Referenced) -> None:
    values = ((("Values", str(number)), value.wire()) for number, value in enumerate(dimension.values))
    judge(dimension.schema_id, referenced.of(SCHEMA), AppliesTo.DIMENSION, values)


DIMENSIONS: Final = Resource(
    contract=DIMENSION,
    path="/dimension",
    filters=("EventId", "FleetId", "SchemaId"),
    references=(FLEET, SCHEMA),
    judge=_judged,
)

"""Dimensions: projections broken down, each value judged by the dimension's schema (4.481, 4.486).

A read shows the sum beside the projection, which may change without the dimension.
"""

from __future__ import annotations

from typing import Any, Final

from services.fleet_svc.domain.judging import judge
from shared.cause import Cause
from shared.resources import Beside, Others, Resource
from shared.schemas.fleet_svc.dimension import DIMENSION, Dimension
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.projection import PROJECTION, Projection
from shared.schemas.fleet_svc.schema import SCHEMA, AppliesTo


def _judged(before: Dimension | None, after: Dimension, others: Others, cause: Cause) -> Dimension:
    values = ((("Values", str(number)), value.wire()) for number, value in enumerate(after.values))
    judge(after.schema_id, others.of(SCHEMA), AppliesTo.DIMENSION, values)
    return after


def _compared(dimension: Dimension, projection: Projection | None) -> dict[str, Any]:
    """4.487, 4.488."""
    total = sum(value.tpm for value in dimension.values)
    peak = None if projection is None else projection.peak_tpm
    return {"Sum": total} | ({} if peak is None else {"PeakTPM": peak, "Difference": total - peak})


DIMENSIONS: Final = Resource(
    contract=DIMENSION,
    path="/dimension",
    filters=("EventId", "FleetId", "SchemaId"),
    sort=("DimensionName",),
    references=(FLEET, SCHEMA),
    on_write=_judged,
    beside=Beside(contract=PROJECTION, show=_compared),
)

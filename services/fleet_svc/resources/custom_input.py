"""Custom inputs: figures that HOTW takes in place of its own, judged by a schema where they name one (4.482)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.judging import judge
from shared.cause import Cause
from shared.resources import Others, Resource
from shared.schemas.fleet_svc.custom_input import CUSTOM_INPUT, CustomInput
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.schema import SCHEMA, AppliesTo


def _judged(before: CustomInput | None, after: CustomInput, others: Others, cause: Cause) -> CustomInput:
    judge(after.schema_id, others.of(SCHEMA), AppliesTo.CUSTOM_INPUT, [(("Input",), after.input.wire())])
    return after


CUSTOM_INPUTS: Final = Resource(
    contract=CUSTOM_INPUT,
    path="/custominput",
    filters=("EventId", "FleetId"),
    sort=("ExpiresOn",),
    references=(FLEET, SCHEMA),
    on_write=_judged,
)

"""Custom inputs: figures that HOTW takes in place of its own, judged by a schema where they name one (4.482)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.judging import judge
from shared.resources import Referenced, Resource
from shared.schemas.fleet_svc.custom_input import CUSTOM_INPUT, CustomInput
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.schema import SCHEMA, AppliesTo


def _judged(custom: CustomInput, referenced: Referenced) -> None:
    judge(custom.schema_id, referenced.of(SCHEMA), AppliesTo.CUSTOM_INPUT, [(("Input",), custom.input.wire())])


CUSTOM_INPUTS: Final = Resource(
    contract=CUSTOM_INPUT,
    path="/custominput",
    filters=("EventId", "FleetId"),
    references=(FLEET, SCHEMA),
    judge=_judged,
)

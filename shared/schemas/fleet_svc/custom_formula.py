"""The contract of CustomFormula: how many hosts the fleets of a service need, where EPIC's own formula does not fit."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from shared.formulas import MAX_CHARACTERS
from shared.schemas.base import Id, Snapshot, WireModel
from shared.schemas.resource_contract import ResourceContract

FORMULA_INPUTS: Final = frozenset(("PeakTPM", "BAUTPM", "HostThroughPutTPM", "BufferFactor", "CTFactor"))
"""What an expression is over (4.541)."""


class CustomFormula(WireModel):
    """The formula of a service's fleets: numbers, + - * / ( ), ceil, floor, min, max, and the inputs of HOTW."""

    service_id: Id
    expression: Annotated[str, Field(max_length=MAX_CHARACTERS)]


class CustomFormulaSnapshot(CustomFormula, Snapshot):
    """``customformula.{created,updated,deleted}``."""


CUSTOM_FORMULA: Final = ResourceContract(
    model=CustomFormula,
    owner="fleet_svc",
    key=("ServiceId",),
    given_snapshot=CustomFormulaSnapshot,
    consumers=("hotw_svc",),
)

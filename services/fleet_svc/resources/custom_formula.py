"""Custom formulas: what does not parse is refused at the write (4.541b). The service may come later (4.18)."""

from __future__ import annotations

from typing import Final

from shared.cause import Cause
from shared.errors import BadInput, FieldError
from shared.formulas import BadFormula, parse
from shared.resources import Others, Resource
from shared.schemas.fleet_svc.custom_formula import CUSTOM_FORMULA, FORMULA_INPUTS, CustomFormula


def _parsed(before: CustomFormula | None, after: CustomFormula, others: Others, cause: Cause) -> CustomFormula:
    try:
        parse(after.expression, FORMULA_INPUTS)
    except BadFormula as error:
        raise BadInput("Expression is no formula", [FieldError("/Expression", str(error))]) from None
    return after


CUSTOM_FORMULAS: Final = Resource(contract=CUSTOM_FORMULA, path="/customformula", sort=("ServiceId",), on_write=_parsed)

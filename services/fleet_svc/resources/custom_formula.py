"""Custom formulas: what does not parse is refused at the write (4.541b). The service may come later (4.18)."""

from __future__ import annotations

from typing import Final

from shared.cause import Cause
from shared.errors import BadInput, FieldError
from shared.formulas import BadFormula, parse
from shared.resources import Resource
from shared.schemas.fleet_svc.custom_formula import CUSTOM_FORMULA, FORMULA_INPUTS, CustomFormula


def _parsed(formula: CustomFormula, cause: Cause) -> CustomFormula:
    try:
        parse(formula.expression, FORMULA_INPUTS)
    except BadFormula as error:
        raise BadInput("Expression is no formula", [FieldError("/Expression", str(error))]) from None
    return formula


def _parsed_again(before: CustomFormula, after: CustomFormula, cause: Cause) -> CustomFormula:
    return _parsed(after, cause)


CUSTOM_FORMULAS: Final = Resource(
    contract=CUSTOM_FORMULA, path="/customformula", on_create=_parsed, on_update=_parsed_again
)

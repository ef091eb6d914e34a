"""The custom formula of a service: how many hosts its fleets need, in place of EPIC's own formula (4.540 to 4.543)."""

from dataclasses import dataclass

from shared.formulas import Formula, parse
from shared.schemas.fleet_svc.custom_formula import FORMULA_INPUTS


@dataclass(frozen=True, slots=True)
class FormulaFacts:
    """The custom formula of a service."""

    version_id: int
    expression: str

    @property
    def compiled(self) -> Formula:
        """The formula, parsed once for all fleets. BadFormula if it is none; fleet_svc has refused such."""
        return parse(self.expression, FORMULA_INPUTS)

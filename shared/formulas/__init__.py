"""Formulas that people write: parsed, bounded, and worked out exactly. None is ever run as code."""

from shared.formulas.formula import (
    Formula,
    FormulaFailed,
    MissingInput,
    NegativeValue,
    NotFinite,
    ZeroDivisor,
)
from shared.formulas.parser import MAX_CHARACTERS, BadFormula, parse

__all__ = [
    "MAX_CHARACTERS",
    "BadFormula",
    "Formula",
    "FormulaFailed",
    "MissingInput",
    "NegativeValue",
    "NotFinite",
    "ZeroDivisor",
    "parse",
]

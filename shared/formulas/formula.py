"""What a formula is once it is parsed: functions of its inputs, in exact arithmetic (7.4.2)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from shared.errors import EpicError

MAX_BITS: Final = 4096
"""The largest numerator and denominator: 1,233 digits. A sum of products of numbers as EPIC has them stays far below
it, and no step takes longer than some microseconds."""
_MAX_EXPONENT: Final = 1233  # of a decimal: a larger one has more digits than MAX_BITS


class FormulaFailed(EpicError):
    """A formula has no value for these inputs (4.543). The text says why."""


class MissingInput(FormulaFailed):
    """An input of the formula was not given."""


class ZeroDivisor(FormulaFailed):
    """It divides by zero."""


class NegativeValue(FormulaFailed):
    """Its value is below zero, where none may be."""


class NotFinite(FormulaFailed):
    """An input is no finite number, or a value on the way has more digits than any quantity needs."""


Values = Mapping[str, Fraction]
Compute = Callable[[Values], Fraction]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a formula's text, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula and the inputs that it names. It holds no state, so any number of threads may evaluate it."""

    text: str
    inputs: frozenset[str]
    compute: Compute

    def evaluate(self, values: Mapping[str, int | Decimal | Fraction], *, may_be_negative: bool = False) -> Fraction:
        """The exact value, by the values of at least its own inputs. FormulaFailed where there is none."""
        missing = self.inputs - values.keys()
        if missing:
            raise MissingInput(f"{', '.join(sorted(missing))} is not known")
        value = self.compute({name: _fraction(name, values[name]) for name in self.inputs})
        if value < 0 and not may_be_negative:
            raise NegativeValue("the value is negative")
        return value


def constant(value: Fraction) -> Compute:
    return lambda values: value


def given(name: str) -> Compute:
    return operator.itemgetter(name)


def negation(operand: Compute) -> Compute:
    return lambda values: -operand(values)


_SIGNS: Final[Mapping[str, Callable[[Fraction, Fraction], Fraction]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def chain(first: Compute, rest: Sequence[tuple[str, Place, Compute]]) -> Compute:
    """A value to which further ones are added, by which it is divided, and so on, from left to right."""
    steps = [(_SIGNS[sign], sign == "/", place, operand) for sign, place, operand in rest]

    def compute(values: Values) -> Fraction:
        value = first(values)
        for apply, divides, place, operand in steps:
            right = operand(values)
            if divides and not right:
                raise ZeroDivisor(f"{place}: the divisor is zero")
            value = apply(value, right)
            if not _is_bounded(value):
                raise NotFinite(f"{place}: the value has too many digits")
        return value

    return compute


FUNCTIONS: Final[Mapping[str, Callable[[Sequence[Fraction]], Fraction]]] = {
    "ceil": lambda given: Fraction(math.ceil(given[0])),
    "floor": lambda given: Fraction(math.floor(given[0])),
    "max": max,
    "min": min,
}
OF_ONE: Final = frozenset(("ceil", "floor"))
"""The functions of one argument; the others take any number from one."""


def call(function: str, arguments: Sequence[Compute]) -> Compute:
    apply = FUNCTIONS[function]
    return lambda values: apply([argument(values) for argument in arguments])


def _fraction(name: str, value: int | Decimal | Fraction) -> Fraction:
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) <= _MAX_EXPONENT):
        raise NotFinite(f"{name} is no finite number")
    fraction = Fraction(value)
    if not _is_bounded(fraction):
        raise NotFinite(f"{name} has too many digits")
    return fraction


def _is_bounded(value: Fraction) -> bool:
    return value.numerator.bit_length() <= MAX_BITS and value.denominator.bit_length() <= MAX_BITS

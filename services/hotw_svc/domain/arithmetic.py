"""Exact numbers: decimals as fractions, whole hosts, and the largest count."""

from decimal import Decimal
from fractions import Fraction

from shared.schemas.base import MAX_COUNT

ONE = Fraction(1)


def exact(value: float | str | Decimal) -> Fraction:
    """The decimal as it is written: `1.1` is 11/10, not the nearest binary number; NaN and infinity are ValueErrors."""
    if type(value) is int:
        return Fraction(value)
    decimal = Decimal(str(value))
    if not decimal.is_finite():
        raise ValueError(f"{value} is not a number")
    return Fraction(decimal)


def one_plus(percentage: Fraction) -> Fraction:
    """1 + percentage/100, exactly."""
    if not percentage:
        return ONE
    hundredfold = 100 * percentage.denominator
    return Fraction(hundredfold + percentage.numerator, hundredfold)


def ceil_ratio(numerator: int, denominator: int) -> int:
    """The smallest whole number that is not less than the ratio (denominator > 0)."""
    return -(-numerator // denominator)


def countable(value: int | None) -> int | None:
    """The value, or None where it is larger than any count of the contracts."""
    return None if value is None or value > MAX_COUNT else value

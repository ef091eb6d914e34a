"""Exact numbers: decimals as fractions, and rounding as the columns keep them."""

from decimal import Decimal
from fractions import Fraction

MAX_INT = 2_147_483_647
MAX_FACTOR = Fraction(99_999, 100)
HUNDRED = Fraction(100)
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


def half_up(value: Fraction) -> Decimal:
    """`value` ≥ 0 with two decimal places, half rounded up: what a DECIMAL(5,2) column keeps."""
    hundredths = (value.numerator * 200 + value.denominator) // (2 * value.denominator)
    return Decimal(hundredths).scaleb(-2)

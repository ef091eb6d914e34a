"""How many hosts take a load: exact arithmetic that hotw_svc orders by and fleet_svc shows BAU capacity by (7.4)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

ONE: Final = Fraction(1)


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


def proposed_tpm(bau_tpm: int, ct_factor: Fraction) -> int:
    """round(BAUTPM × CTFactor), a half up (4.186, 7.3.5, 7.4.3). Neither is negative."""
    product = bau_tpm * ct_factor
    return (2 * product.numerator + product.denominator) // (2 * product.denominator)


def needed_hosts(tpm: int, *, buffer: Fraction, headroom: Fraction, throughput: int) -> int:
    """ceil(tpm × buffer × headroom / throughput) in whole numbers: no rounding on the way (7.4.1, 7.4.2)."""
    return ceil_ratio(
        tpm * buffer.numerator * headroom.numerator, buffer.denominator * headroom.denominator * throughput
    )


def required_hosts(needed: int, *, least: int, most: int | None) -> int:
    """The need within its bounds; where they cross, the upper one wins (7.4.8, 7.4.9). ``most`` None: no bound."""
    floored = max(needed, least)
    return floored if most is None else min(floored, most)

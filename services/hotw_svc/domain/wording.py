"""How numbers and lists are written for people."""

from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from itertools import islice

MOST_NAMES = 8


def whole(value: int) -> str:
    """`50000` as `50,000`."""
    return f"{value:,}"


def hosts(value: int) -> str:
    """`1 host`, `50 hosts`."""
    return "1 host" if value == 1 else f"{value:,} hosts"


def plain(value: Fraction) -> str:
    """A factor without trailing zeros: `1.1`, `2`, `1,000.5`."""
    if value.denominator == 1:
        return f"{value.numerator:,}"
    return f"{(Decimal(value.numerator) / Decimal(value.denominator)).normalize():,f}"


def listed(names: Collection[str]) -> str:
    """`a, b, c`; the first eight of many, and how many more."""
    shown = ", ".join(islice(names, MOST_NAMES))
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES:,} more"

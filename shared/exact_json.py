"""JSON whose decimals are exact (rule 2.15).

orjson reads a decimal as a float. A float holds every decimal of at most 15 digits, and is written as that decimal
again (IEEE 754). So only a text with a longer number, or with an exponent, is read once more by this module.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

MAY_BE_INEXACT: Final = re.compile(rb"[0-9.]{17}|[0-9][eE][-+]?[0-9]")
"""Finds a number that a float may not hold exactly, in JSON text. What it finds inside a string does no harm."""


def loads(text: bytes) -> Any:
    """JSON that orjson has accepted, with a Decimal for each number that is no whole number of 64 bits.

    ValueError for an exponent that a Decimal cannot hold, or a nesting that is too deep.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_whole)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("a number or a nesting in it has no bounds") from error


def dumps(value: Any) -> bytes:
    """The JSON text of what ``loads`` gave: each decimal has the digits that it was read with."""
    return orjson.dumps(value, default=_digits)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= 18 else Decimal(digits)


def _digits(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"a {type(value).__name__} is no JSON")

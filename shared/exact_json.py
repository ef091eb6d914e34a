"""JSON whose decimals are exact (rule 2.15), and its form in which equal values have equal texts.

orjson reads a decimal as a float. A float holds every decimal of at most 15 digits, and is written as that decimal
again (IEEE 754). So only a text with a longer number, or with an exponent, is read once more by this module.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NoReturn

import orjson

MAY_BE_INEXACT: Final = re.compile(rb"[0-9.]{17}|[0-9][eE][-+]?[0-9]")
"""Finds a number that a float may not hold exactly, in JSON text. What it finds inside a string does no harm."""

PARTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}:,]', re.DOTALL)
"""Finds the strings and the signs that a JSON text is made of, one after the other."""

_WHOLE_FLOAT: Final = re.compile(rb"\.0[],}]")
_SPACE: Final = b" \t\n\r"
_INT_DIGITS: Final = 18
"""A whole number of more digits is a Decimal: orjson writes no int of over 64 bits, and int() has a limit too."""


def loads(text: bytes) -> Any:
    """JSON with a Decimal for each number that is no whole number of at most 18 digits.

    ValueError for what is no JSON, an exponent that a Decimal cannot hold, or a nesting that is too deep.
    """
    try:
        return json.loads(text.decode(), parse_float=Decimal, parse_int=whole, parse_constant=no_number)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("a number or a nesting in it has no bounds") from error


def dumps(value: Any) -> bytes:
    """The JSON text of what ``loads`` gave: each decimal has the digits that it was read with."""
    return orjson.dumps(value, default=_digits)


def canonical(value: Any) -> bytes:
    """The text that all equal JSON values share: the order of members does not matter, and 10 is 10.0 and 1e1.

    ``value``: what ``loads`` gives, or orjson where ``MAY_BE_INEXACT`` finds nothing; at most 250 levels deep.
    """
    text = orjson.dumps(value, default=_shortest, option=orjson.OPT_SORT_KEYS)
    if not _WHOLE_FLOAT.search(text):
        return text
    return orjson.dumps(json.loads(text, parse_float=Decimal), default=_shortest, option=orjson.OPT_SORT_KEYS)


def members(text: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each as the text of its value: what is not read has no limits and loses nothing.

    ValueError when ``text`` is no object. Whether a value is JSON shows when it is read.
    """
    text = text.strip(_SPACE)
    if text[:1] != b"{" or text[-1:] != b"}":
        raise ValueError("it does not begin and end as one")
    end, level, signs, places = len(text) - 1, 0, bytearray(), [0]
    if not text[1:end].strip(_SPACE):
        return {}
    for part in PARTS.finditer(text, 1, end):
        sign = part[0]
        if sign in (b"[", b"{"):
            level += 1
        elif sign in (b"]", b"}"):
            level -= 1
        elif level == 0 and sign in (b":", b","):
            signs += sign
            places.append(part.start())
    pieces = [text[before + 1 : after].strip(_SPACE) for before, after in pairwise([*places, end])]
    names, values = pieces[::2], pieces[1::2]
    if signs != b",".join([b":"] * len(values)) or not all(name.startswith(b'"') for name in names):
        raise ValueError("its members are not each a name, a colon and a value")
    return {json.loads(name.decode()): value for name, value in zip(names, values, strict=True)}


def whole(digits: str) -> int | Decimal:
    """The whole number of these digits."""
    return int(digits) if len(digits) <= _INT_DIGITS else Decimal(digits)


def no_number(name: str) -> NoReturn:
    """ValueError: ``name`` is NaN or an infinity, which json takes and JSON does not have."""
    raise ValueError(f"{name} is no number")


def _digits(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _shortest(value: Any) -> int | float | orjson.Fragment:
    """A Decimal as the int or float that JSON without an exponent is read as, if there is one; else its digits."""
    if not isinstance(value, Decimal):
        raise TypeError(f"a {type(value).__name__} is no JSON")
    sign, digits, exponent = value.as_tuple()
    written = "".join(map(str, digits))
    shortest = written.rstrip("0")
    power = int(exponent) + len(written) - len(shortest)
    if not shortest:
        return 0
    if power >= 0 and len(shortest) + power <= _INT_DIGITS:
        return int(value)
    if power < 0 and Decimal(repr(number := float(value))) == value:
        return number
    return orjson.Fragment(f"{'-' * sign}{shortest}E{power}")

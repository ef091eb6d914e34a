"""Reads the JSON object of a request or a command, and names each value in it that cannot be taken."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from shared import exact_json
from shared.errors import BadInput, FieldError
from shared.exact_json import MAY_BE_INEXACT
from shared.schemas.validation import bad_fields, pointer_to

NO_OBJECT: Final = frozenset({"not-json", "not-an-object"})
"""The slugs of ``decode_object`` for a body that holds no JSON object."""

_LEVELS: Final = 250
"""The deepest nesting of a body: orjson writes none of over 254, and no contract has more than a few."""

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # json makes one character of each pair
_HALF: Final = "give whole characters: an escape such as \\ud800 is half of one"


@dataclass(frozen=True, slots=True)
class _Bad:
    """What stands in the place of a value that cannot be taken."""

    remedy: str


_TWICE: Final = _Bad("give it once")
_NO_BOUNDS: Final = _Bad("give a number with a smaller exponent")


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``, its decimals exact (rule 2.15).

    BadInput when it is none, with a slug of ``NO_OBJECT`` (NaN is no JSON); and when it is one in which a member comes
    twice, a number has no bounds, a text has half a character, or the nesting is too deep: ``errors`` names each place.
    """
    try:
        value = orjson.loads(body)
        if MAY_BE_INEXACT.search(body):
            value = exact_json.loads(body)
        if not isinstance(value, dict):
            raise BadInput('the body must be one JSON object, such as {"EventId": "PD2024"}', slug="not-an-object")
        # Each member has one colon, so an object that names none twice has as many as when it is written anew, unless a
        # colon in a text is written as \u003a. Only where that does not settle it is the body looked at more closely.
        if body.count(b":") == orjson.dumps(value, default=str).count(b":") and b"\\u003" not in body:
            return value
    except (ValueError, orjson.JSONEncodeError) as error:
        if not body.lstrip().startswith(b"{"):
            raise _no_json(error) from None
    return _examined(body)


def _examined(body: bytes) -> dict[str, Any]:
    """The object in a body that orjson does not take, or of which it is not sure that each member comes once."""
    try:
        member = _too_deep(body)
        if member is not None:
            error = FieldError(_readable((member,)), f"give at most {_LEVELS} levels; no contract has more than a few")
            raise BadInput("the body is nested too deep; see errors", [error], slug="too-deep")
        value: dict[str, Any] = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=exact_json.whole,
            parse_constant=exact_json.no_number,
        )
    except ValueError as error:
        raise _no_json(error) from None
    errors = list(_bad_values(value, ()))
    if any(error.detail == _TWICE.remedy for error in errors):
        raise bad_fields(errors, "the body names a member twice", slug="duplicate-member")
    if errors:
        raise bad_fields(errors)
    return value


def _no_json(error: Exception) -> BadInput:
    return BadInput(f"the body is not JSON: {error}; send one JSON object", slug="not-json")


def _too_deep(body: bytes) -> str | None:
    """The outermost member of the object in which the nesting is too deep; None where there is none."""
    level, name = 0, b'""'
    for part in exact_json.PARTS.finditer(body):
        sign = part[0]
        if sign in (b"[", b"{"):
            level += 1
            if level > _LEVELS:
                return str(json.loads(name.decode()))
        elif sign in (b"]", b"}"):
            level -= 1
        elif level == 1 and sign.startswith(b'"'):  # a text before a nested value is its name
            name = sign
    return None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members; one that comes twice is bad."""
    value = dict(members)
    if len(value) < len(members):
        value |= {name: _TWICE for name, times in Counter(name for name, _ in members).items() if times > 1}
    return value


def _decimal(digits: str) -> Decimal | _Bad:
    try:
        return Decimal(digits)
    except ArithmeticError:
        return _NO_BOUNDS


def _bad_values(value: Any, location: tuple[int | str, ...]) -> Iterator[FieldError]:
    if isinstance(value, _Bad):
        yield FieldError(_readable(location), value.remedy)
    elif isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            yield FieldError(_readable(location), _HALF)
    elif isinstance(value, dict):
        for name, inner in value.items():
            place = (*location, name)
            if _LONE_SURROGATE.search(name):
                yield FieldError(_readable(place), _HALF)
            yield from _bad_values(inner, place)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _bad_values(inner, (*location, index))


def _readable(location: tuple[int | str, ...]) -> str:
    """The pointer with half characters escaped, so that an answer can carry it."""
    return pointer_to(location).encode("utf-8", "backslashreplace").decode()

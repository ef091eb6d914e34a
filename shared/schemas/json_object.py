"""A JSON object of any members on the wire, such as a JSON Schema: bounded, and the same after it was stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, WithJsonSchema

from shared.schemas.base import broken_rule

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 32
_MAX_WHOLE: Final = 2**53
"""Up to here every JSON reader has the same whole number."""


def _plain(value: Any) -> Any:
    """The value as every store and every reader of JSON holds it. A rule's error points to what none could hold."""
    plain = _walk(value, ())
    size = len(orjson.dumps(plain))
    if size > MAX_BYTES:
        raise ValueError(f"give at most {MAX_BYTES} bytes of JSON, not {size}")
    return plain


def _walk(value: Any, at: tuple[str, ...]) -> Any:
    if len(at) > MAX_DEPTH:
        raise broken_rule(at, f"give at most {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {name: _walk(member, (*at, str(name))) for name, member in value.items() if _is_given(member, at, name)}
    if isinstance(value, list):
        return [None if member is None else _walk(member, (*at, str(n))) for n, member in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return _number(value, at)


def _is_given(member: Any, at: tuple[str, ...], name: str) -> bool:
    if member is None:  # in a merge patch it clears the member, so no document could be sent back as it was read
        raise broken_rule((*at, name), "a member cannot be null; leave it out")
    return True


def _number(value: float | Decimal, at: tuple[str, ...]) -> int | float:
    if not -_MAX_WHOLE <= value <= _MAX_WHOLE:
        raise broken_rule(at, f"give a number from {-_MAX_WHOLE} to {_MAX_WHOLE}")
    if value == int(value):
        return int(value)
    number = float(value)
    if isinstance(value, Decimal) and Decimal(repr(number)) != value:
        raise broken_rule(at, "give at most 15 digits")
    return number


JsonObject = Annotated[
    dict[str, Any], AfterValidator(_plain), WithJsonSchema({"type": "object", "additionalProperties": True})
]
"""At most 64 KiB and 32 levels deep. No member is null: a merge patch has another meaning for that."""

"""What a contract's JSON Schema, as OpenAPI shows it, says of a body; and bodies that are wrong in one place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import BaseModel

from shared.schemas.json_schema import REQUEST, Schemas

UNKNOWN = "Colour"
WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    2_147_483_648,
    "",
    " x",
    "\0",
    "x" * 17_000,
    "2024-02-30",
    [],
    ["x"],
    {},
    {UNKNOWN: "red"},
)
"""What stands in for each value; the schema says where it may stand."""

Place = tuple[str | int, ...]


def pointer(place: Place) -> str:
    return "".join(f"/{part}" for part in place)


@cache
def schema_of(model: type[BaseModel]) -> Draft202012Validator:
    schemas = Schemas([(model, REQUEST)])
    return Draft202012Validator({**schemas.ref(model, REQUEST), "components": {"schemas": schemas.components()}})


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _places(member, (*place, name))


def _at(body: Any, place: Place) -> Any:
    for part in place:
        body = body[part]
    return body


def _with(body: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    _at(changed, place[:-1])[place[-1]] = value
    return changed


def _without(body: dict[str, Any], place: Place) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    del _at(changed, place[:-1])[place[-1]]
    return changed


def spoiled(model: type[BaseModel], body: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Bodies that the contract's schema refuses, each with the place where it differs from ``body``.

    Each value is another one, each object has a member more, and each lacks a member.
    """
    schema = schema_of(model)
    assert schema.is_valid(body), list(schema.iter_errors(body))
    changes = [(place, _with(body, place, value)) for place in _places(body) for value in WRONG]
    objects = [place for place in ((), *_places(body)) if isinstance(_at(body, place), dict)]
    changes += [((*place, UNKNOWN), _with(body, (*place, UNKNOWN), "red")) for place in objects]
    changes += [((*place, name), _without(body, (*place, name))) for place in objects for name in _at(body, place)]
    yield from ((place, changed) for place, changed in changes if not schema.is_valid(changed))

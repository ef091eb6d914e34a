"""JSON Schemas (2020-12) that people give: which ones EPIC takes, and what they say of a value.

Only what is bounded is taken: no reference leads elsewhere or in a circle, and patterns are matched in linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from shared.errors import BadInput, FieldError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_SUBSCHEMAS: Final = 64
"""The most that one value is judged by, each as often as it is referred to: some hundred microseconds a value."""
MAX_DEPTH: Final = 16
MAX_PATTERNS: Final = 8
MAX_PATTERN: Final = 256

_OF_SCHEMAS: Final = frozenset(("$defs", "definitions", "properties", "dependentSchemas"))
_LISTS: Final = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_ONES: Final = frozenset(
    (
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
    )
)
_REFUSED: Final = {
    **dict.fromkeys(("$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"), "refer by #/$defs/…"),
    "patternProperties": "name the members in properties",
    # each is worked out anew at every level around it, twice as long with each
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), "name all in one place, with additionalProperties"),
}

Path = tuple[str, ...]


def check_definition(definition: Mapping[str, Any], at: Path) -> None:
    """BadInput unless it is a JSON Schema that EPIC takes. ``at`` is where the request has it."""
    _Walk(definition, at).subschema(definition, at)
    from jsonschema.exceptions import SchemaError

    try:
        _validator().check_schema(_exact(definition), format_checker=None)
    except SchemaError as error:
        where = [*at, *map(str, error.absolute_path)]
        raise _refused(where, f"no JSON Schema: {_shortened(error.message)}") from None


def problems_by(definition: Mapping[str, Any]) -> Callable[[Any, Path], Iterator[FieldError]]:
    """What keeps a JSON value from matching a definition that was checked, by the value and ``at``, as above."""
    from referencing import Registry

    validator = _validator()(_exact(definition), registry=Registry())

    def problems(value: Any, at: Path) -> Iterator[FieldError]:
        for error in validator.iter_errors(_exact(value)):
            rule = orjson.dumps({error.validator or "not": _plain(error.validator_value)}).decode()
            yield FieldError(
                _pointer([*at, *map(str, error.absolute_path)]), f"must match {_shortened(rule)} of the schema"
            )

    return problems


class _Walk:
    """Looks at every subschema of a definition, at what a ``$ref`` leads to as often as it does."""

    def __init__(self, definition: Mapping[str, Any], at: Path) -> None:
        self._definition = definition
        self._at = at
        self._subschemas = 0
        self._patterns = 0

    def subschema(self, schema: Any, at: Path, refs: Path = (), depth: int = 1) -> None:
        """``refs`` are the references that led here."""
        self._subschemas += 1
        if self._subschemas > MAX_SUBSCHEMAS:
            raise _refused(at, f"give at most {MAX_SUBSCHEMAS} subschemas, each counted as often as it is referred to")
        if depth > MAX_DEPTH:
            raise _refused(at, f"give at most {MAX_DEPTH} levels of schemas")
        if not isinstance(schema, dict):
            return  # true or false; anything else is no schema, which the dialect itself says
        for keyword, value in schema.items():
            self._keyword(keyword, value, (*at, keyword), refs, depth + 1)

    def _keyword(self, keyword: str, value: Any, at: Path, refs: Path, depth: int) -> None:
        if keyword in _REFUSED:
            raise _refused(at, f"EPIC takes no {keyword}; {_REFUSED[keyword]}")
        if keyword == "$schema" and value != DIALECT:
            raise _refused(at, f"give {DIALECT}, or leave it out")
        if keyword == "pattern" and isinstance(value, str):
            self._pattern(value, at)
        elif keyword == "$ref":
            self.subschema(*self._target(value, at, refs), (*refs, value), depth)
        elif keyword in _ONES:
            self.subschema(value, at, refs, depth)
        elif keyword in _OF_SCHEMAS and isinstance(value, dict):
            for name, one in value.items():
                self.subschema(one, (*at, name), refs, depth)
        elif keyword in _LISTS and isinstance(value, list):
            for number, one in enumerate(value):
                self.subschema(one, (*at, str(number)), refs, depth)

    def _pattern(self, pattern: str, at: Path) -> None:
        self._patterns += 1
        if self._patterns > MAX_PATTERNS or len(pattern) > MAX_PATTERN:
            raise _refused(at, f"give at most {MAX_PATTERNS} patterns of at most {MAX_PATTERN} characters")
        try:
            _matcher(pattern)
        except ValueError:
            raise _refused(
                at, "give a regular expression without look-around, back references and large counts"
            ) from None

    def _target(self, ref: Any, at: Path, refs: Path) -> tuple[Any, Path]:
        """What a reference leads to in the same definition, and where that is."""
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise _refused(at, "refer to a place in this definition, such as #/$defs/Key")
        if ref in refs:
            raise _refused(at, "the schema refers to itself; write out what it needs")
        found: Any = self._definition
        names = [part.replace("~1", "/").replace("~0", "~") for part in ref[2:].split("/")]
        for name in names:
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise _refused(at, f"{ref} leads nowhere")
        return found, (*self._at, *names)


@cache
def _validator() -> Any:
    """The dialect's validator, with patterns that take linear time. Imported here: it takes a tenth of a second."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, expression: str, value: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and not _matcher(expression).isinstance_python(value):
            yield ValidationError("does not match the pattern")

    def enum(validator: Any, values: list[Any], value: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, str) and value in values:  # at once, of thousands too
            return
        yield from of_all_values(validator, values, value, schema)

    of_all_values = Draft202012Validator.VALIDATORS["enum"]
    return extend(Draft202012Validator, {"pattern": pattern, "enum": enum})  # type: ignore[no-untyped-call]


@lru_cache(maxsize=MAX_PATTERNS)
def _matcher(pattern: str) -> Any:
    """Finds a pattern in a text, by an engine that never goes back. ValueError for one that it does not take."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True))
    except SchemaError as error:
        raise ValueError(str(error)) from None


def _exact(value: Any) -> Any:
    """The same JSON with exact numbers, so that 1.1 is a multiple of 0.1."""
    if isinstance(value, dict):
        return {name: _exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, float):
        exact = Fraction(repr(value))
        return int(exact) if exact.denominator == 1 else exact
    return value


def _plain(value: Any) -> Any:
    """What ``_exact`` made of JSON, as JSON again."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Fraction) else value


def _refused(at: Sequence[str], detail: str) -> BadInput:
    return BadInput("the definition is not taken", [FieldError(_pointer(at), detail)])


def _pointer(at: Sequence[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in at)


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"

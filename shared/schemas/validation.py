"""Reads a contract out of JSON or out of a merge patch; each error names the bad member and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import ValidationError

from shared.errors import BadInput, FieldError
from shared.schemas.base import RULE, WireModel

M = TypeVar("M", bound=WireModel)

_MOST_ERRORS: Final = 100
"""A person corrects these first. A body of 1 MiB can have 200,000, and a message has its limit."""

_REMEDIES: Final = {
    "string_type": "give a text",
    "string_pattern_mismatch": "give a text without control characters and with no space at either end, not empty",
    "string_too_long": "give at most {max_length} characters",
    "bool_type": "give true or false",
    "decimal_type": "give a number",
    "decimal_parsing": "give a number, such as 1.5",
    "finite_number": "give a finite number",
    "list_type": "give a list",
    "too_short": "give at least {min_length}, not {actual_length}",
    "too_long": "give at most {max_length}, not {actual_length}",
    "dict_type": "give an object",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "enum": "give one of {expected}",
    "literal_error": "give one of {expected}",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
}


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each problem pydantic found, as a JSON pointer and a remedy."""
    found = []
    for item in error.errors(include_url=False, include_context=True):
        kind, message, location = item["type"], item["msg"], item["loc"]
        if kind == "missing":
            message = "required; add it"
        elif kind == "extra_forbidden":
            message = "unknown field; remove it or correct its name"
        elif kind == "value_error":  # the contracts' own words, which may begin with a field's name
            message = message.removeprefix("Value error, ")
        elif kind == RULE:
            location = (*location, *item["ctx"]["at"])
        elif kind in _REMEDIES:
            message = _REMEDIES[kind].format(**item.get("ctx", {}))
        else:
            message = message[0].lower() + message[1:]
        found.append(FieldError(pointer_to(location), message))
    return found


def validated(model: type[M], fields: Mapping[str, Any]) -> M:
    """The model in ``fields``, which have wire names. BadInput points to each bad, missing or unknown member."""
    try:
        return model.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        raise bad_fields(field_errors(error)) from None


def pointer_to(location: Iterable[int | str]) -> str:
    """The JSON pointer (RFC 6901) to this place in a body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def bad_fields(
    errors: list[FieldError], what: str = "the request has bad fields", *, slug: str | None = None
) -> BadInput:
    """The refusal of a request with these errors, the first of which it names."""
    which = "errors" if len(errors) <= _MOST_ERRORS else f"errors for the first {_MOST_ERRORS} of {len(errors)}"
    return BadInput(f"{what}; see {which}", errors[:_MOST_ERRORS], slug=slug)


def merge_patch(state: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7396: objects merge, lists and scalars are replaced, null clears."""
    merged = dict(state)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def patched(model: type[M], state: Mapping[str, Any], patch: Mapping[str, Any]) -> M:
    """The document after a merge patch. BadInput names every bad, missing or unknown member."""
    errors = _unknown_nulls(model, patch, "")
    if errors:
        raise bad_fields(errors)
    return validated(model, merge_patch(state, patch))


def _fields(annotation: Any) -> dict[str, Any]:
    """The wire names and types of a contract's members; none for anything else."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, WireModel):
            return {field.alias or name: field.annotation for name, field in part.model_fields.items()}
    return {}


def _element(annotation: Any) -> Any:
    """What a list or a map holds; None for anything else."""
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) in (list, tuple, dict):
            return get_args(part)[-1]
    return None


def _unknown_nulls(annotation: Any, patch: Mapping[str, Any], at: str) -> list[FieldError]:
    """Unknown members that a merge would swallow because they are null."""
    fields = _fields(annotation)
    found = []
    for name, value in patch.items():
        inner = _element(annotation) or fields.get(name)
        if value is None and fields and name not in fields:
            found.append(FieldError(f"{at}/{name}", "unknown field; remove it or correct its name"))
        elif isinstance(value, Mapping):
            found += _unknown_nulls(inner, value, f"{at}/{name}")
    return found

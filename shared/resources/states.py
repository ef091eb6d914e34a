"""Owns the pure steps from a request's body to a resource's next state: managed fields, keys, merge patches, checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import ValidationError

from shared.errors import BadInput, FieldError
from shared.schemas.base import MANAGED_FIELDS, WireModel, check_id, field_errors

__all__ = [
    "State",
    "apply",
    "checked_ids",
    "given_fields",
    "merge_patch",
    "only_keys",
    "parse",
    "validated",
    "with_keys",
]

State = dict[str, Any]
M = TypeVar("M", bound=WireModel)

_DETAIL: Final = "the request has bad fields; see errors"


def given_fields(model: type[WireModel], body: Mapping[str, Any]) -> State:
    """What a body gives of a resource: without AuditMetadata and the fields only EPIC sets.

    So a document may be posted back as it was read. A managed name that is a field of ``model`` itself stays.
    """
    own = {field.alias for field in model.model_fields.values()}
    managed = (MANAGED_FIELDS | {"AuditMetadata", "Deleted"}) - own
    return {name: value for name, value in body.items() if name not in managed}


def parse(model: type[WireModel], body: Mapping[str, Any]) -> State:
    """A whole document's state: validated, numbers and times in their one form, absent and null members left out.

    BadInput names every bad, missing or unknown field.
    """
    return validated(model, given_fields(model, body)).wire()


def validated(model: type[M], fields: Mapping[str, Any]) -> M:
    """The fields by their contract, wire names only. BadInput points to each that is bad, missing or unknown."""
    try:
        return model.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        errors = [_named(model, item) for item in field_errors(error)]
        raise BadInput(_DETAIL, errors) from None


def merge_patch(state: Mapping[str, Any], patch: Mapping[str, Any]) -> State:
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


def apply(model: type[WireModel], state: Mapping[str, Any], body: Mapping[str, Any]) -> State:
    """The state after a body's merge patch; equal to ``state`` when it changes nothing. BadInput as ``parse``."""
    patch = given_fields(model, body)
    unknown = _unknown_nulls(model, patch, "")
    if unknown:
        raise BadInput(_DETAIL, unknown)
    return validated(model, merge_patch(given_fields(model, state), patch)).wire()


def with_keys(body: Mapping[str, Any], keys: Mapping[str, str]) -> State:
    """The body with the path's keys as members. BadInput where the body says another key."""
    wrong = [
        FieldError(f"/{name}", f"must equal {value}, as the path says; correct it or leave it out")
        for name, value in keys.items()
        if body.get(name, value) != value
    ]
    if wrong:
        raise BadInput("the body's key is not the path's", wrong, slug="key-mismatch")
    return {**body, **keys}


def only_keys(body: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Sees to it that the body of a deletion says nothing but the key and the reason. BadInput names the rest."""
    with_keys(body, keys)
    known = {*keys, "AuditMetadata", *MANAGED_FIELDS}
    unknown = [
        FieldError(f"/{name}", "a deletion takes no such field; remove it") for name in body if name not in known
    ]
    if unknown:
        raise BadInput(_DETAIL, unknown)


def checked_ids(keys: Mapping[str, str]) -> dict[str, str]:
    """The ids of a path. BadInput names the bad ones."""
    errors = []
    for name, value in keys.items():
        try:
            check_id(value)
        except ValueError as error:
            errors.append(FieldError(f"/{name}", str(error)))
    if errors:
        raise BadInput("the path has a bad id", errors, slug="bad-id")
    return dict(keys)


def _named(model: type[WireModel], error: FieldError) -> FieldError:
    """An error about a whole object points to the first member its sentence names."""
    at: Any = model
    for part in error.pointer.split("/")[1:]:
        at = _member(at, part)
    here = _fields(at)
    detail = error.detail[:1].upper() + error.detail[1:]  # a name at its beginning may have lost its capital
    for word in (word.strip(",.;:") for word in detail.split()):
        pointed = (
            word if word in here else next((n for n, kind in here.items() if word in _fields(_element(kind))), None)
        )
        if pointed is not None:
            said = detail if detail.startswith(word) else error.detail
            return FieldError(f"{error.pointer}/{pointed}", said)
    return error


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


def _member(annotation: Any, name: str) -> Any:
    element = _element(annotation)
    return element if element is not None else _fields(annotation).get(name)


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

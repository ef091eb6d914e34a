"""Owns the pure steps from a request's body to a resource's next state: managed fields, keys, merge patches, checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.errors import BadInput, FieldError
from shared.schemas.base import MANAGED_FIELDS, WireModel, check_id
from shared.schemas.validation import unknown_nulls, validated

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
    unknown_nulls(model, patch)
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

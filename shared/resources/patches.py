"""The pure steps from what a caller sends to a document: keys and merge patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from shared.errors import BadInput, FieldError
from shared.schemas.base import WireModel, check_id
from shared.schemas.validation import unknown_nulls, validated

State = dict[str, Any]
"""A document in wire form: what JSON can hold, by wire names, absent members left out."""

M = TypeVar("M", bound=WireModel)


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


def patched(model: type[M], state: Mapping[str, Any], patch: Mapping[str, Any]) -> M:
    """The document after a merge patch. BadInput names every bad, missing or unknown member."""
    unknown_nulls(model, patch)
    return validated(model, merge_patch(state, patch))


def with_keys(body: Mapping[str, Any], keys: Mapping[str, str]) -> State:
    """The body with the path's keys as members. BadInput where the body has another key."""
    wrong = [
        FieldError(f"/{name}", f"must equal {value}, as in the path; correct it or leave it out")
        for name, value in keys.items()
        if body.get(name, value) != value
    ]
    if wrong:
        raise BadInput("the body's key is not the path's", wrong, slug="key-mismatch")
    return {**body, **keys}


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

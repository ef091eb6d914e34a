"""The difference of two versions of a document: a JSON Patch (RFC 6902), and each changed member with both values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_ABSENT: Final = object()


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """What makes ``a`` into ``b`` (3.19a, 3.19b), as ``VersionDifference`` describes it.

    Objects are compared member by member, two lists of equally many objects item by item, all else as a whole.
    """
    changes = list(_changes(a, b, ""))
    return {
        "Patch": [_operation(*change) for change in changes],
        "Changes": [
            {"Member": pointer, "Before": _or_none(before), "After": _or_none(after)}
            for pointer, before, after in changes
        ],
    }


def _changes(a: Mapping[str, Any], b: Mapping[str, Any], at: str) -> Iterator[tuple[str, Any, Any]]:
    """The members that differ: a JSON pointer, and both values."""
    for name in sorted(a.keys() | b.keys()):
        before, after = a.get(name, _ABSENT), b.get(name, _ABSENT)
        pointer = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        yield from _changes_of(before, after, pointer)


def _changes_of(before: Any, after: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _changes(before, after, at)
    elif _are_objects(before) and _are_objects(after) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(one, other, f"{at}/{number}")
    elif before != after:
        yield at, before, after


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _operation(pointer: str, before: Any, after: Any) -> dict[str, Any]:
    if after is _ABSENT:
        return {"op": "remove", "path": pointer}
    return {"op": "add" if before is _ABSENT else "replace", "path": pointer, "value": after}


def _or_none(value: Any) -> Any:
    return None if value is _ABSENT else value

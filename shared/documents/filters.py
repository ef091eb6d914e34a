"""The fields that the lists of a resource type may be filtered and sorted by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_FIELD: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def check_name(name: str) -> str:
    """The name of a resource type, as a collection or a table may have it. ValueError for any other."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a resource type; use small letters, digits and _")
    return name


class Filters:
    """The fields declared for one resource type: top-level, or dotted into objects."""

    def __init__(self, fields: Sequence[str]) -> None:
        for field in fields:
            if not _FIELD.fullmatch(field):
                raise ValueError(f"{field!r} is no field to filter or sort by")
        self.fields = tuple(dict.fromkeys(fields))

    def wanted(self, where: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is asked, in the order of declaration. ValueError for a field that was not declared."""
        where = where or {}
        self.check(where)
        return {field: where[field] for field in self.fields if field in where}

    def check(self, fields: Iterable[str]) -> None:
        """ValueError for fields that were not declared."""
        unknown = set(fields) - set(self.fields)
        if unknown:
            raise ValueError(f"not declared as filters: {', '.join(sorted(unknown))}")

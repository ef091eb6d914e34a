"""Read models: what a service keeps of another service's resource, fed by that resource's events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import orjson

State = dict[str, Any]
"""A resource's members in wire form (what JSON can hold)."""

Snapshot = tuple[str, int, State]
"""Key, version and state."""


class ReadModel(Protocol):
    """The newest version of each key; an older version never replaces a newer one.

    A tombstone (``Deleted`` in its state) is stored, so that nothing older brings the resource back, but no read shows
    it. Every call raises Unavailable while the store is away. What a read returns is the caller's to change.
    """

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        """Stores those that are newer than what is stored; returns the keys whose given snapshot is stored now.

        A snapshot that is delivered again is therefore in the result each time. One that came too late is not, and
        neither is another state under a version that is stored already.
        """

    async def get(self, key: str) -> State | None: ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]: ...

    def scan(
        self, where: Mapping[str, Any] | None = None, *, after: str = "", page: int = 1000
    ) -> AsyncIterator[Sequence[State]]:
        """All that are equal in every field of ``where``, ordered by key from behind ``after``, page by page.

        The fields were declared with the read model and hold scalars (``A.B`` is B inside A). None matches an absent
        field. ValueError for a field that was not declared.
        """


def field_of(state: State, field: str) -> Any:
    """The value of a declared field; None where it is absent."""
    value: Any = state
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def newest_of_each_key(snapshots: Sequence[Snapshot]) -> dict[str, tuple[int, State]]:
    """The newest version and state of each key; of one version given twice the first."""
    newest: dict[str, tuple[int, State]] = {}
    for key, version, state in snapshots:
        if key not in newest or version > newest[key][0]:
            newest[key] = (version, state)
    return newest


def is_same_state(state: State, other: State) -> bool:
    """Whether two states are the same JSON."""
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)

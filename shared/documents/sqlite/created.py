"""Owns documents that were created at once: first versions that differ in nothing but their states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import orjson

from shared.cause import Cause
from shared.documents.contract import State
from shared.documents.sqlite.rows import Row, encode_item
from shared.documents.versions import Item, first_item, shown

__all__ = ["Created"]


@dataclass(frozen=True, slots=True)
class Created:
    """What they have in common is written once: ``item`` is the first version of an empty state."""

    states: Mapping[str, State]
    item: Item
    _managed: bytes

    @classmethod
    def by(cls, cause: Cause, states: Mapping[str, State], schema_version: int) -> Self:
        item = first_item({}, cause, schema_version)
        return cls(states, item, orjson.dumps(shown("", item, {}).wire()))

    def shared(self) -> Row:
        """The columns of a head that are alike in all, without key and state."""
        _, *shared, _ = encode_item("", self.item)
        return (*shared, "{}")

    def own(self) -> list[tuple[str, str]]:
        """Key and state of each, as heads have them."""
        return [(key, orjson.dumps(state).decode()) for key, state in self.states.items()]

    def snapshot(self, key: str) -> bytes:
        """What is told of it: the bytes of what ``wire`` shows, members in the same order."""
        state = self.states[key]
        if "_" in "".join(state):
            state = {name: value for name, value in state.items() if not name.startswith("_")}
        return orjson.dumps(state)[:-1] + b"," + self._managed[1:] if state else self._managed

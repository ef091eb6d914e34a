"""The store the use cases are tested on, what it published, and a process on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shared.clock import FixedClock
from shared.documents.contract import State
from tests.doubles.documents import MemoryDocuments
from tests.unit.eventplan_app.world import NOW, Process


class MemoryReplica:
    def __init__(self) -> None:
        self.held: dict[str, tuple[int, State]] = {}

    async def put(self, snapshots: Sequence[tuple[str, int, State]]) -> set[str]:
        taken = set()
        for key, version, state in snapshots:
            if key not in self.held or self.held[key][0] < version:
                self.held[key] = (version, state)
                taken.add(key)
        return taken

    async def get(self, key: str) -> State | None:
        return self.held[key][1] if key in self.held else None

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        return {key: self.held[key][1] for key in keys if key in self.held}

    async def find(self, where: Mapping[str, Any], *, after: str | None = None, limit: int = 1000) -> list[State]:
        return [
            state
            for key, (_, state) in sorted(self.held.items())
            if (after is None or key > after) and all(state.get(name) == value for name, value in where.items())
        ][:limit]


class MemoryStore:
    def __init__(self) -> None:
        self.kinds: dict[str, Any] = {}

    def documents(self, name: str, *, filters: Sequence[str] = (), hidden: Sequence[str] = ()) -> MemoryDocuments:
        return self.kinds.setdefault(name, MemoryDocuments(filters))

    def replica(self, name: str, *, filters: Sequence[str] = ()) -> MemoryReplica:
        return self.kinds.setdefault(f"replica {name}", MemoryReplica())

    @property
    def published(self) -> list[tuple[str, str, str, State]]:
        return self.kinds["eventplan"].published


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def process(store: MemoryStore, clock: FixedClock) -> Process:
    return Process(store, clock)


class Published:
    def __init__(self, topic: str, key: str, data: dict[str, Any]) -> None:
        self.type, self.key, self._data = topic, key, data

    def body(self) -> dict[str, Any]:
        return self._data


@pytest.fixture
def published(store: MemoryStore) -> Any:
    return lambda: [
        Published(t, k, {n: v for n, v in d.items() if n != "Automation"}) for t, k, _, d in store.published
    ]

"""Owns the contract of a versioned document store; MongoDB and SQLite keep it alike (one suite tests both)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.cause import Cause
from shared.messaging.envelope import Message

__all__ = [
    "Change",
    "Document",
    "Documents",
    "Emission",
    "HistoryPage",
    "ListPage",
    "Publish",
    "Replica",
    "State",
    "Store",
    "Written",
]

State = dict[str, Any]  # a resource's own fields in wire form, without the managed ones
Publish = Callable[[Sequence[Message]], Awaitable[list[Exception | None]]]


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a resource. ``side`` is what belongs to item 0 outside its versioned state."""

    key: str
    version: int
    latest_version: int
    state: State
    message: str | None
    user: str
    timestamp: datetime
    schema_version: int
    created_at: datetime | None
    created_by: str | None
    deleted: bool = False
    side: State = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        """The document as read: state, side and managed fields; LatestVersionId, CreatedAt and CreatedBy on item 0."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Emission:
    """An event beside the snapshot: its own topic (= type), key, id and data; without ``data`` the snapshot itself."""

    type: str
    key: str | None = None
    id: str | None = None
    data: State | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a pure update function decides: the new state (None: a tombstone) and which events tell of it."""

    state: State | None
    events: tuple[Emission, ...]
    message: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write: the document it answers with, whether it made a version, and whether it is a replay."""

    document: Document
    changed: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    items: list[Document]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class ListPage:
    items: list[Document]
    next_after: str | None


UpdateFn = Callable[[Document | None], Change | None]
AmendFn = Callable[[Document], tuple[State, tuple[Emission, ...]] | None]


class Documents(Protocol):
    """The versioned documents of one resource type."""

    async def latest(self, key: str) -> Document | None: ...
    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]: ...
    async def version(self, key: str, version: int) -> Document | None: ...
    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage: ...
    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage: ...
    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written: ...
    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written: ...
    async def create_many(
        self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause
    ) -> Sequence[str]: ...


class Replica(Protocol):
    """What a service keeps of another's resource, fed by its events: never older than what it holds."""

    async def put(self, snapshots: Sequence[tuple[str, int, State]]) -> set[str]: ...
    async def get(self, key: str) -> State | None: ...
    async def get_many(self, keys: Sequence[str]) -> dict[str, State]: ...
    async def find(self, where: Mapping[str, Any], *, after: str | None = None, limit: int = 1000) -> list[State]: ...


class Store(Protocol):
    """One service's document store: its resource types, replicas, answers and outboxes."""

    def documents(self, name: str, *, filters: Sequence[str] = ()) -> Documents: ...
    def replica(self, name: str, *, filters: Sequence[str] = ()) -> Replica: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def ping(self) -> None: ...

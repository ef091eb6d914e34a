"""The contract of a versioned document store; MongoDB and SQLite keep it alike, and one test suite runs over both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from shared.cause import Cause
from shared.clock import iso
from shared.durability.lease import Leases
from shared.durability.outbox import OutgoingEvent
from shared.durability.parts import Parts
from shared.durability.read_model import ReadModel, State
from shared.durability.store import ServiceStore
from shared.schemas.results import Accepted

MAX_STATE_BYTES: Final = 2_097_152
"""How large a state may be as JSON: its snapshot then fits into a message (8 MiB) with room to spare."""

SWEEP_AFTER: Final = 5.0
"""Seconds after which another process finishes what one that is gone has begun."""

MANAGED: Final = frozenset(
    ("VersionId", "LatestVersionId", "CreatedAt", "CreatedBy", "SchemaVersion", "AuditMetadata", "Deleted")
)
"""The members of a read that say which version it is, who made it, when and why."""


class Document(NamedTuple):
    """One version of a resource. ``side`` belongs to the latest version, outside its versioned state.

    ``changed`` and ``created`` are instants in wire form, because they are read far more often than computed with.
    ``created``, ``created_by`` and ``side`` belong to the latest version alone: a document without ``created`` is an
    old version. A tombstone (``deleted``) keeps the last state. It is a tuple because pages of them are made fast.
    """

    key: str
    version: int
    latest_version: int
    state: State
    message: str | None
    user: str
    changed: str
    schema_version: int
    created: str | None
    created_by: str | None
    deleted: bool
    side: State

    def wire(self) -> dict[str, Any]:
        """The document as read: state, side and managed fields.

        LatestVersionId, CreatedAt and CreatedBy are on the latest version only. A member of the state whose name
        begins with ``_`` is its service's own memory: no read shows it and no event publishes it.
        """
        shown = self.state.copy()
        if "_" in "".join(shown):
            shown = {name: value for name, value in shown.items() if not name.startswith("_")}
        shown["VersionId"] = self.version
        if self.created is not None:
            shown |= self.side
            shown["LatestVersionId"] = self.latest_version
            shown["CreatedAt"] = self.created
            shown["CreatedBy"] = self.created_by
        shown["SchemaVersion"] = self.schema_version
        reason = {} if self.message is None else {"Message": self.message}
        shown["AuditMetadata"] = {**reason, "User": self.user, "Timestamp": self.changed}
        if self.deleted:
            shown["Deleted"] = True
        return shown


@dataclass(frozen=True, slots=True)
class Change:
    """What a pure update function decides: the new state (None: a tombstone) and the events to publish."""

    state: State | None
    events: tuple[OutgoingEvent, ...]
    message: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write: the document, whether the write changed it, and whether this is a replay."""

    document: Document
    changed: bool
    replayed: bool = False

    @property
    def accepted(self) -> Accepted:
        """What a command is answered with."""
        return Accepted(self.document.key, self.document.version)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first; ``next_before`` asks for the older ones, None when there are none."""

    items: list[Document]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class ListPage:
    """Latest versions, ordered by key; ``next_after`` asks for the rest, None when there is none."""

    items: list[Document]
    next_after: str | None


class Place(NamedTuple):
    """A place in a sorted list: the value that it is sorted by there (None: absent), and the key."""

    value: Any
    key: str


@dataclass(frozen=True, slots=True)
class SortedPage:
    """Latest versions, sorted by a field and then by key; ``next_after`` asks for the rest, None when there is none."""

    items: list[Document]
    next_after: Place | None


UpdateFn = Callable[[Document | None], Change | None]
AmendFn = Callable[[Document], tuple[State, tuple[OutgoingEvent, ...]] | None]


class Documents(Protocol):
    """The versioned documents of one resource type.

    Every call raises Unavailable while the store is away. What is returned is the caller's to change.
    """

    async def latest(self, key: str) -> Document | None:
        """The latest version, in one read by key; None when there is none or it was deleted."""

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        """The latest version of each key that has one that was not deleted."""

    async def version(self, key: str, version: int) -> Document | None:
        """One version, tombstones included."""
        page = await self.history(key, before=version + 1, limit=1)
        return next((document for document in page.items if document.version == version), None)

    async def versions(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], Document]:
        """Versions by key and number, tombstones included; those that there are not are left out.

        The reads are two, however many and however old they are, so some thousand may be asked for at once.
        ``latest_version`` is the version itself: which one is the latest is not looked up.
        """

    async def versions_at(self, keys: Sequence[str], at: datetime) -> dict[str, Document]:
        """The version of each key that was the latest at an instant, by its Timestamp; keys without one are left out.

        What was not written since costs one read of all. The others are halved in together: two more reads for every
        doubling of the longest history. A document that is deleted by now is left out, whenever that was.
        """
        instant = iso(at)
        latest = await self.latest_many(keys)
        found = {key: document for key, document in latest.items() if document.changed <= instant}
        # Of each of the others, a version that was there by then (0: none) and one that came later.
        bounds = {key: (0, document.version) for key, document in latest.items() if key not in found}
        while halves := {(key, (low + high) // 2) for key, (low, high) in bounds.items() if high - low > 1}:
            halved = await self.versions(halves)
            for key, version in halves:
                document, (low, high) = halved.get((key, version)), bounds[key]
                if document is not None and document.changed <= instant:
                    found[key], bounds[key] = document, (version, high)
                else:
                    bounds[key] = (low, version)
        return {key: document for key, document in found.items() if not document.deleted}

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        """Versions older than ``before``, newest first, tombstones included; a page costs the same however many."""

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        """The latest versions that are equal in every field of ``where``, ordered by key, without tombstones.

        The fields were declared with the resource type and hold scalars (``A.B`` is B inside A). None matches an
        absent field, a list any of its values. ValueError for a field that was not declared.
        """

    async def list_sorted(
        self,
        by: str,
        where: Mapping[str, Any] | None = None,
        *,
        descending: bool = False,
        after: Place | None = None,
        limit: int = 100,
    ) -> SortedPage:
        """What ``list`` would give, sorted by a declared field and then by key, both in the same direction.

        Where the field is absent comes first, and last when ``descending``. Texts compare by their code points. Without
        ``where`` a page costs the same however many documents there are; with it, the cost may be linear in those that
        match. ValueError as in ``list``.
        """

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, page: int = 1000
    ) -> AsyncIterator[Sequence[Document]]:
        """All that ``list`` would give, page by page in one pass. The pages are not of one instant."""
        found = await self.list(where, limit=page)
        yield found.items
        while found.next_after is not None:
            found = await self.list(where, after=found.next_after, limit=page)
            yield found.items

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        """Makes the next version, by ``fn`` of the present document (None when there is none, or a tombstone).

        ``fn`` is pure and may be called several times: when another writer comes first, it is tried on the newest
        version. It returns None for no change (no version is made; NotFound when there is no document) and raises
        Refused to say no. Stale when ``expected`` is not the present version, TooLarge when the state would be over
        2 MiB. A cause with an id gets its first outcome again, refusals included, whatever was written since; Conflict
        ``id-reused`` when its body was another.
        The events are published after this returns, each key's in the order of its versions, at least once.
        """

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        """Replaces ``side`` only: no version is made and no If-Match disturbed. NotFound without a document.

        Events without data carry the snapshot of the present version; ``fn`` and the cause's id as in ``update``.
        """

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        """Creates the documents that do not exist (or are deleted), publishes each, and returns their keys.

        Of two creators at once each key has one. The cause's id is not stored: a repetition creates what is missing.
        Nobody may change the given states until they are published.
        """

    async def purge(self, where: Mapping[str, Any]) -> int:
        """Removes the deleted documents that ``list`` would find by ``where``, with all their versions; how many.

        One whose events are not published yet stays until the next call. It is for keys that nobody writes any more,
        because a document that is made again would begin with version 1.
        """


class DocumentTypes(Protocol):
    """The resource types, read models, leases and parts of a store. Declare them before it is started."""

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents: ...

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel: ...

    def leases(self) -> Leases: ...

    def parts(self) -> Parts: ...


class Store(ServiceStore, DocumentTypes, Protocol):
    """One service's document store."""

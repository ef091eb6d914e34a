"""Owns a versioned document store in memory: the contract's rules without durability, and what it published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.cause import Cause
from shared.documents.contract import (
    AmendFn,
    Change,
    Document,
    Emission,
    HistoryPage,
    ListPage,
    State,
    UpdateFn,
    Written,
)
from shared.errors import Conflict, NotFound, Refused, Stale


class MemoryDocuments:
    """One resource type. ``published`` lists (topic, key, id, data) in the order of publication."""

    def __init__(self, filters: Sequence[str] = ()) -> None:
        self.heads: dict[str, Document] = {}
        self.items: dict[str, list[Document]] = {}
        self.answers: dict[str, tuple[str, Written | Refused]] = {}
        self.published: list[tuple[str, str, str, State]] = []
        self.filters = filters
        self.crash_on: str | None = None

    async def latest(self, key: str) -> Document | None:
        head = self.heads.get(key)
        return None if head is None or head.deleted else head

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        return {key: found for key in keys if (found := await self.latest(key)) is not None}

    async def version(self, key: str, version: int) -> Document | None:
        return next((item for item in self.items.get(key, ()) if item.version == version), None)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        items = [item for item in reversed(self.items.get(key, [])) if before is None or item.version < before]
        return HistoryPage(list(items[:limit]), items[limit - 1].version if len(items) > limit else None)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        assert set(where or {}) <= set(self.filters), f"{where} is not declared: {self.filters}"
        found = [
            head
            for key, head in sorted(self.heads.items())
            if not head.deleted
            and (after is None or key > after)
            and all(_dotted(head.state, name) == value for name, value in (where or {}).items())
        ]
        return ListPage(list(found[:limit]), found[limit - 1].key if len(found) > limit else None)

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, page: int = 1000
    ) -> AsyncIterator[Sequence[Document]]:
        yield (await self.list(where, limit=10**9)).items

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        kept = self._kept(cause)
        if kept is not None:
            return kept
        if self.crash_on == key:
            raise ConnectionError("the process died here")
        head = self.heads.get(key)
        present = None if head is None or head.deleted else head
        try:
            if expected is not None and present is not None and present.version != expected:
                raise Stale(f"version {expected} is not the latest")
            change = fn(present)
            if change is None and present is None:
                raise NotFound(f"there is no {key}")
            if expected is not None and present is None:
                raise Stale(f"there is no version {expected}")
        except Refused as refused:
            self._keep(cause, refused)
            raise
        if change is None:
            assert present is not None
            written = Written(present, changed=False)
        else:
            written = Written(self._write(key, head, change, cause), changed=True)
        self._keep(cause, written)
        return written

    def _write(self, key: str, head: Document | None, change: Change, cause: Cause) -> Document:
        version = head.version + 1 if head else 1
        fresh = head is None or head.deleted
        document = Document(
            key=key,
            version=version,
            latest_version=version,
            state=change.state if change.state is not None else head.state if head else {},
            message=change.message or cause.message,
            user=change.user or cause.user,
            timestamp=cause.now,
            schema_version=1,
            created_at=cause.now if fresh or head is None else head.created_at,
            created_by=cause.user if fresh or head is None else head.created_by,
            deleted=change.state is None,
            side={} if fresh or head is None else head.side,
        )
        self.heads[key] = document
        self.items.setdefault(key, []).append(replace(document, created_at=None, created_by=None, side={}))
        self._publish(document, change.events)
        return document

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        kept = self._kept(cause)
        if kept is not None:
            return kept
        head = self.heads.get(key)
        if head is None or head.deleted:
            raise NotFound(f"there is no {key}")
        change = fn(head)
        if change is None:
            return Written(head, changed=False)
        side, events = change
        amended = replace(head, side=side)
        self.heads[key] = amended
        self._publish(amended, events)
        written = Written(amended, changed=True)
        self._keep(cause, written)
        return written

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        made = []
        for key, state in states:
            if key not in self.heads:
                self._write(key, None, Change(state, (Emission(event_type),)), cause)
                made.append(key)
        return made

    def _publish(self, document: Document, events: Sequence[Emission]) -> None:
        for event in events:
            key = event.key or document.key
            event_id = event.id or f"{document.key}:{document.version}:{event.type}"
            self.published.append((event.type, key, event_id, event.data or replace(document, side={}).wire()))

    def _kept(self, cause: Cause) -> Written | None:
        if cause.id is None or cause.id not in self.answers:
            return None
        digest, answer = self.answers[cause.id]
        if digest != cause.digest:
            raise Conflict("the same id with another body", slug="id-reused")
        if isinstance(answer, Refused):
            raise answer
        return replace(answer, replayed=True)

    def _keep(self, cause: Cause, answer: Written | Refused) -> None:
        if cause.id is not None:
            self.answers[cause.id] = (cause.digest, answer)


def _dotted(state: Mapping[str, Any], path: str) -> Any:
    value: Any = state
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

"""A store on which nothing is written: every write is decided as on the store beneath it, and then forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cachetools import LRUCache

from shared.cause import Cause
from shared.documents.contract import (
    AmendFn,
    Document,
    Documents,
    DocumentTypes,
    HistoryPage,
    ListPage,
    Place,
    SortedPage,
    UpdateFn,
    Written,
)
from shared.documents.versions import amended, updated
from shared.durability.lease import Leases
from shared.durability.parts import Parts, check_part
from shared.durability.read_model import ReadModel, State

_PARTS_AT_ONCE: Final = 1000  # more than are written at once


@dataclass(frozen=True, slots=True)
class DryDocuments(Documents):
    """See ``Documents``. A write is judged by what is stored now: no write sees the one before it.

    A document that was deleted counts its versions from 1 here; nobody sees the number.
    """

    stored: Documents
    schema_version: int = 1

    async def latest(self, key: str) -> Document | None:
        return await self.stored.latest(key)

    async def latest_many(self, keys: Sequence[str]) -> dict[str, Document]:
        return await self.stored.latest_many(keys)

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        return await self.stored.history(key, before=before, limit=limit)

    async def versions(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], Document]:
        return await self.stored.versions(wanted)

    async def list(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 100
    ) -> ListPage:
        return await self.stored.list(where, after=after, limit=limit)

    async def list_sorted(
        self,
        by: str,
        where: Mapping[str, Any] | None = None,
        *,
        descending: bool = False,
        after: Place | None = None,
        limit: int = 100,
    ) -> SortedPage:
        return await self.stored.list_sorted(by, where, descending=descending, after=after, limit=limit)

    async def update(self, key: str, fn: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        head = await self.stored.latest(key)
        return updated(head, key, fn, replace(cause, id=None), expected, self.schema_version).result()

    async def amend(self, key: str, fn: AmendFn, cause: Cause) -> Written:
        return amended(await self.stored.latest(key), key, fn, replace(cause, id=None)).result()

    async def create_many(self, states: Iterable[tuple[str, State]], event_type: str, cause: Cause) -> Sequence[str]:
        given = [key for key, _ in states]
        there = await self.stored.latest_many(given)
        return [key for key in dict.fromkeys(given) if key not in there]

    async def purge(self, where: Mapping[str, Any]) -> int:
        return 0


class DryParts(Parts):
    """See ``Parts``. What is put is there for a while, for the write that puts it; the store beneath gets nothing."""

    def __init__(self, stored: Parts) -> None:
        self._stored = stored
        self._put: LRUCache[tuple[str, int], bytes] = LRUCache(_PARTS_AT_ONCE)

    async def put(self, name: str, number: int, data: bytes) -> None:
        check_part(name, number, data)
        self._put[name, number] = data

    async def get(self, name: str, number: int) -> bytes | None:
        put = self._put.get((name, number))
        return await self._stored.get(name, number) if put is None else put

    async def delete(self, name: str, number: int | None = None) -> None:
        return None

    async def names(self, prefix: str, after: str = "") -> list[str]:
        return await self._stored.names(prefix, after)


@dataclass(frozen=True, slots=True)
class DryStore:
    """The documents, read models and parts of a store, for the wiring of use cases that shall only check.

    Declare on it before the store is started, as on the store itself. Leases are those of the store: what is decided
    under one waits for its turn.
    """

    stored: DocumentTypes

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents:
        return DryDocuments(self.stored.documents(name, filters=filters, schema_version=schema_version), schema_version)

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        return self.stored.read_model(name, filters=filters)

    def leases(self) -> Leases:
        return self.stored.leases()

    def parts(self) -> Parts:
        return DryParts(self.stored.parts())

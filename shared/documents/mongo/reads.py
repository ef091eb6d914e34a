"""Reads of MongoDB: by key, where those that wait together become one query, and by declared fields, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import bson
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.filters import Filters
from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away
from shared.documents.sorting import Stretch

_KEYS_PER_QUERY: Final = 1000  # as many as a batch may name (3.21d)
_FEW: Final = 50  # above it, a query of one's own costs less than a future for each key
_BY_KEY: Final = (("_id", 1),)
_QUERIES_AT_ONCE: Final = 4  # more wait for each other in the server, and coalesce less here


async def find_by_id(
    collection: AsyncIOMotorCollection[Form], ids: list[str], projection: dict[str, Any] | None = None
) -> list[Form]:
    """The documents with these ``_id``s, in no order; the query has no other key, so any server uses the index."""
    with away():
        if len(ids) == 1:
            found = await collection.find_one({"_id": ids[0]}, projection)
            return [] if found is None else [found]
        return await collection.find({"_id": {"$in": ids}}, projection, batch_size=len(ids) + 1).to_list(None)


def query_of(filters: Filters, where: Mapping[str, Any] | None, prefix: str, after: str | None = None) -> Form:
    """The query for equality in the fields of ``where``, which lie under ``prefix``; of a list any value will do."""
    wanted = filters.wanted(where).items()
    query: Form = {prefix + field: {"$in": value} if isinstance(value, list) else value for field, value in wanted}
    if after is not None:
        query["_id"] = {"$gt": after}
    return query


def stretch_of(field: str, stretch: Stretch | None, *, descending: bool) -> Form:
    """The query for a stretch of a list that is sorted by a field; None: for all. null matches an absent field."""
    if stretch is None:
        return {}
    beyond = "$lt" if descending else "$gt"
    if stretch.beyond:
        return {field: {"$ne": None} if stretch.value is None else {beyond: stretch.value}}
    return {field: stretch.value} if stretch.after is None else {field: stretch.value, "_id": {beyond: stretch.after}}


async def page_of(
    collection: AsyncIOMotorCollection[Form],
    query: Form,
    projection: Mapping[str, Any] | None,
    limit: int,
    sort: Sequence[tuple[str, int]] = _BY_KEY,
) -> list[Form]:
    """The first documents by key, or in another order, in one response of the server."""
    with away():
        cursor = collection.find(query, projection, sort=list(sort), limit=limit, batch_size=limit + 1)
        return await cursor.to_list(None)


class CoalescedReads:
    """Reads by key of one collection. What is asked for in one turn of the loop, or while others run, is one query."""

    def __init__(self, collection: AsyncIOMotorCollection[Form], projection: dict[str, Any] | None = None) -> None:
        self._collection = collection
        self._projection = projection
        self._asked: dict[str, list[asyncio.Future[Form | None]]] = {}
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()

    async def get_many(self, keys: Iterable[str]) -> dict[str, Form]:
        """Those of the keys that exist. Of more than a few, a thousand are one query."""
        wanted = list(dict.fromkeys(keys))
        if len(wanted) <= _FEW:
            forms = await asyncio.gather(*map(self.get, wanted))
            return {key: form for key, form in zip(wanted, forms, strict=True) if form is not None}
        found: dict[str, Form] = {}
        for first in range(0, len(wanted), _KEYS_PER_QUERY):
            some = await find_by_id(self._collection, wanted[first : first + _KEYS_PER_QUERY], self._projection)
            found.update((form["_id"], form) for form in some)
        return {key: found[key] for key in wanted if key in found}

    def get(self, key: str) -> asyncio.Future[Form | None]:
        """The document as it is after this call began; the caller's own copy."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Form | None] = loop.create_future()
        self._asked.setdefault(key, []).append(future)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start)
        return future

    def _start(self) -> None:
        self._scheduled = False
        while self._asked and len(self._running) < _QUERIES_AT_ONCE:
            asked = {key: self._asked.pop(key) for key in list(islice(self._asked, _KEYS_PER_QUERY))}
            task = asyncio.create_task(self._read(asked))
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _read(self, asked: dict[str, list[asyncio.Future[Form | None]]]) -> None:
        waiting = [future for futures in asked.values() for future in futures]
        try:
            found = {form["_id"]: form for form in await find_by_id(self._collection, list(asked), self._projection)}
        except Exception as error:
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for key, futures in asked.items():
            form = found.get(key)
            for place, future in enumerate(futures):
                if not future.done():
                    future.set_result(form if form is None or place == 0 else self._copy(form))

    def _copy(self, form: Form) -> Form:
        """By BSON, which is faster than ``deepcopy``."""
        return bson.decode(bson.encode(form), self._collection.codec_options)

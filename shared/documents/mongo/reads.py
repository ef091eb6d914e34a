"""Owns reads by key: those that wait together go to MongoDB as one."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire

__all__ = ["Reads", "find_by_id"]

_TOGETHER: Final = 500
_UNDER_WAY: Final = 4


async def find_by_id(
    collection: AsyncIOMotorCollection[Wire], ids: list[str], projection: dict[str, Any] | None = None
) -> list[Wire]:
    """The documents with these ``_id``s, in no order; the query has no other key, so any server uses the index."""
    with away():
        if len(ids) == 1:
            found = await collection.find_one({"_id": ids[0]}, projection)
            return [] if found is None else [found]
        return await collection.find({"_id": {"$in": ids}}, projection, batch_size=len(ids) + 1).to_list(None)


class Reads:
    """Reads of one collection: what is asked in one turn of the loop, or while others are under way, is one query."""

    def __init__(self, collection: AsyncIOMotorCollection[Wire], projection: dict[str, Any] | None = None) -> None:
        self._collection = collection
        self._projection = projection
        self._asked: dict[str, list[asyncio.Future[Wire | None]]] = {}
        self._scheduled = False
        self._under_way: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> Wire | None:
        """The document as it is after this call began; the caller's own copy."""
        return await self._ask(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Wire]:
        """Those of the keys that are there."""
        wanted = list(dict.fromkeys(keys))
        forms = await asyncio.gather(*(self._ask(key) for key in wanted))
        return {key: form for key, form in zip(wanted, forms, strict=True) if form is not None}

    def _ask(self, key: str) -> asyncio.Future[Wire | None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Wire | None] = loop.create_future()
        self._asked.setdefault(key, []).append(future)
        if not self._scheduled and len(self._under_way) < _UNDER_WAY:
            self._scheduled = True
            loop.call_soon(self._go)
        return future

    def _go(self) -> None:
        self._scheduled = False
        while self._asked and len(self._under_way) < _UNDER_WAY:
            asked = self._asked
            if len(asked) > _TOGETHER:
                first = list(asked)[:_TOGETHER]
                asked = {key: self._asked.pop(key) for key in first}
            else:
                self._asked = {}
            task = asyncio.get_running_loop().create_task(self._read(asked))
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._asked and not self._scheduled:
            self._go()

    async def _read(self, asked: dict[str, list[asyncio.Future[Wire | None]]]) -> None:
        try:
            found = {form["_id"]: form for form in await find_by_id(self._collection, list(asked), self._projection)}
        except BaseException as error:
            for futures in asked.values():
                for future in futures:
                    if not future.done():
                        if isinstance(error, Exception):
                            future.set_exception(error)
                        else:
                            future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for key, futures in asked.items():
            form = found.get(key)
            for index, future in enumerate(futures):
                if not future.done():
                    future.set_result(form if form is None or index == 0 else copy.deepcopy(form))

"""The overwritten versions of one resource type in MongoDB: stored once each, read by computed ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog
from bson.raw_bson import RawBSONDocument
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.documents.contract import Document
from shared.documents.mongo.codec import Form, decode
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.reads import find_by_id

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 50_000  # some MB; what is forgotten is only stored once more


class Items:
    """The collection ``{resource}.items``; an item is stored before its version is overwritten in the head."""

    def __init__(self, database: AsyncIOMotorDatabase[Form], resource: str) -> None:
        self._collection = database[f"{resource}.items"]
        self._stored: LRUCache[str, bool] = LRUCache(_REMEMBERED)

    async def store(self, items: Mapping[str, Form | RawBSONDocument]) -> None:
        """Stores versions by their ids. One that exists was stored by the same write; another write is an alarm."""
        forms = [{"_id": name, "Item": item} for name, item in items.items() if name not in self._stored]
        if forms:
            try:
                with away():
                    await self._collection.insert_many(forms, ordered=False)
            except BulkWriteError as error:
                await self._compare([forms[place] for place in duplicates(error)])
            for form in forms:
                self._stored[str(form["_id"])] = True

    async def read(self, ids: list[str]) -> dict[str, Document]:
        """Those of the ids that are stored."""
        forms = await find_by_id(self._collection, ids) if ids else []
        return {form["_id"]: decode(form["_id"].rpartition("@")[0], form["Item"]) for form in forms}

    async def _compare(self, forms: list[dict[str, Any]]) -> None:
        ids = [form["_id"] for form in forms]
        stored = {form["_id"]: form for form in await find_by_id(self._collection, ids, {"Item.Number": 1})}
        for form in forms:
            mine = other = form["Item"]["Number"]
            if form["_id"] in stored:
                other = stored[form["_id"]]["Item"]["Number"]
            if mine != other:
                log.critical("two writes made one version", item=form["_id"], stored=other, other=mine)

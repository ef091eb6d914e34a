"""The overwritten versions of one resource type in MongoDB: stored once each, read by computed ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from bson.raw_bson import RawBSONDocument
from cachetools import LRUCache
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError

from shared.documents.mongo.codec import Form, decode_item, encode_item, item_id
from shared.documents.mongo.errors import away, duplicates
from shared.documents.mongo.reads import find_by_id
from shared.documents.versions import Item

__all__ = ["Items"]

log = structlog.get_logger(__name__)

_REMEMBERED: Final = 50_000  # some MB; what is forgotten is only stored once more


class Items:
    """The collection ``{resource}.items``; an item is stored before its version is overwritten in the head."""

    def __init__(self, database: AsyncIOMotorDatabase[Form], resource: str) -> None:
        self._collection = database[f"{resource}.items"]
        self._stored: LRUCache[str, bool] = LRUCache(_REMEMBERED)

    async def ensure(self, key: str, item: Item) -> None:
        """Makes sure that this version is stored."""
        name = item_id(key, item.version)
        if name not in self._stored:
            await self.store({name: encode_item(item)})

    async def store(self, items: Mapping[str, RawBSONDocument]) -> None:
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

    async def read(self, key: str, versions: Sequence[int]) -> dict[int, Item]:
        """Those of the versions that are stored."""
        found = await self.read_all([item_id(key, version) for version in versions])
        return {item.version: item for item in found.values()}

    async def read_all(self, ids: list[str]) -> dict[str, Item]:
        """The same by ids, of any keys."""
        if not ids:
            return {}
        return {form["_id"]: decode_item(form["Item"]) for form in await find_by_id(self._collection, ids)}

    async def _compare(self, forms: list[dict[str, Any]]) -> None:
        ids = [form["_id"] for form in forms]
        stored = {form["_id"]: form for form in await find_by_id(self._collection, ids, {"Item.Number": 1})}
        for form in forms:
            mine = other = form["Item"]["Number"]
            if form["_id"] in stored:
                other = stored[form["_id"]]["Item"]["Number"]
            if mine != other:
                log.critical("two writes made one version", item=form["_id"], stored=other, other=mine)

"""Owns what a service keeps in MongoDB of another's resource: the newest snapshot of each key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.documents.contract import State
from shared.documents.filters import Filters
from shared.documents.mongo.faults import away, duplicates
from shared.documents.mongo.forms import Wire, encode_state, plain
from shared.documents.mongo.queries import page_of, pages_of, query_of
from shared.documents.mongo.reads import Reads, find_by_id
from shared.documents.turns import attempts
from shared.durability.read_model import is_same_state, newest_of_each_key
from shared.errors import Unavailable

__all__ = ["MongoReadModel"]

_STATE: Final = "State."


class MongoReadModel:
    """The collection ``replica.{name}``: ``{_id: key, Version, Deleted, State}``; see ``contract.ReadModel``."""

    def __init__(self, collection: AsyncIOMotorCollection[Wire], filters: Filters) -> None:
        self._collection = collection
        self._filters = filters
        self._reads = Reads(collection)

    async def prepare(self) -> None:
        with away():
            await self._collection.create_index([("_id", 1), ("Version", 1)], unique=True)
            for path in self._filters.fields:
                await self._collection.create_index([(_STATE + path, 1), ("_id", 1)])

    async def put(self, snapshots: Sequence[tuple[str, int, State]]) -> set[str]:
        newest = newest_of_each_key(snapshots)
        taken: set[str] = set()
        left = list(newest)
        async for _ in attempts():
            if not left:
                return taken
            held = {form["_id"]: form["Version"] for form in await find_by_id(self._collection, left, {"Version": 1})}
            taken |= await self._same([key for key in left if held.get(key) == newest[key][0]], newest)
            left = [key for key in left if key not in held or held[key] < newest[key][0]]
            writes = [_write(key, held.get(key), *newest[key]) for key in left]
            if writes and await self._all_written(writes):
                taken.update(left)
                left = []
        raise Unavailable("a replica is being written by too many at once; try again")

    async def _same(self, keys: list[str], newest: Mapping[str, tuple[int, State]]) -> set[str]:
        """Those of the keys whose held state is the given one: it was delivered before."""
        forms = await find_by_id(self._collection, keys) if keys else []
        return {
            form["_id"]
            for form in forms
            if form["Version"] == newest[form["_id"]][0] and is_same_state(_state(form), newest[form["_id"]][1])
        }

    async def _all_written(self, writes: list[InsertOne[Wire] | UpdateOne]) -> bool:
        """Whether nobody else wrote one of them meanwhile; then the whole is looked at again."""
        updates = sum(isinstance(write, UpdateOne) for write in writes)
        try:
            with away():
                result = await self._collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            duplicates(error)
            return False
        return result.matched_count == updates

    async def get(self, key: str) -> State | None:
        form = await self._reads.get(key)
        return None if form is None or form["Deleted"] else _state(form)

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        forms = await self._reads.get_many(keys)
        return {key: _state(forms[key]) for key in dict.fromkeys(keys) if key in forms and not forms[key]["Deleted"]}

    async def find(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 1000
    ) -> list[State]:
        query = {"Deleted": False, **query_of(self._filters, where, _STATE, after)}
        return [_state(form) for form in await page_of(self._collection, query, None, limit)]

    async def scan(self, where: Mapping[str, Any] | None = None, *, page: int = 1000) -> AsyncIterator[Sequence[State]]:
        query = {"Deleted": False, **query_of(self._filters, where, _STATE)}
        async for forms in pages_of(self._collection, query, None, page):
            yield [_state(form) for form in forms]


def _write(key: str, held: int | None, version: int, state: State) -> InsertOne[Wire] | UpdateOne:
    kept, rewritten = encode_state(state)
    form = {"Deleted": state.get("Deleted") is True, "State": kept, "Rewritten": rewritten, "Version": version}
    if held is None:
        return InsertOne({"_id": key, **form})
    return UpdateOne({"_id": key, "Version": held}, {"$set": form})


def _state(form: Wire) -> State:
    return plain(form["State"], form["Rewritten"])

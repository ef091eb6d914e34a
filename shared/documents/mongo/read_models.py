"""Read models in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.documents.filters import Filters
from shared.documents.mongo.codec import Form, decode_state, encode_state
from shared.documents.mongo.errors import attempts, away, duplicates
from shared.documents.mongo.reads import CoalescedReads, find_by_id, page_of, query_of
from shared.durability.read_model import Snapshot, State, is_same_state, newest_of_each_key
from shared.errors import Unavailable

_STATE: Final = "State."


class MongoReadModel:
    """See ``ReadModel``. In the collection lie ``{_id: key, Version, Deleted, State, Rewritten}``."""

    def __init__(self, collection: AsyncIOMotorCollection[Form], filters: Filters) -> None:
        self._collection = collection
        self._filters = filters
        self._reads = CoalescedReads(collection)

    async def prepare(self) -> None:
        with away():
            await self._collection.create_index([("_id", 1), ("Version", 1)], unique=True)
            for field in self._filters.fields:
                await self._collection.create_index([(_STATE + field, 1), ("_id", 1)])

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        newest = newest_of_each_key(snapshots)
        accepted: set[str] = set()
        left = list(newest)
        async for _ in attempts():
            if not left:
                return accepted
            stored = {form["_id"]: form["Version"] for form in await find_by_id(self._collection, left, {"Version": 1})}
            accepted |= await self._same([key for key in left if stored.get(key) == newest[key][0]], newest)
            left = [key for key in left if key not in stored or stored[key] < newest[key][0]]
            writes = [_write(key, stored.get(key), *newest[key]) for key in left]
            if writes and await self._all_written(writes):
                accepted.update(left)
                left = []
        raise Unavailable("a read model is being written by too many at once; try again")

    async def _same(self, keys: list[str], newest: Mapping[str, tuple[int, State]]) -> set[str]:
        """Those of the keys whose stored state is the given one, which was delivered before."""
        forms = await find_by_id(self._collection, keys) if keys else []
        return {
            form["_id"]
            for form in forms
            if form["Version"] == newest[form["_id"]][0] and is_same_state(decode_state(form), newest[form["_id"]][1])
        }

    async def _all_written(self, writes: list[InsertOne[Form] | UpdateOne]) -> bool:
        """Whether all were written; otherwise another process was faster, and the caller tries again."""
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
        return None if form is None or form["Deleted"] else decode_state(form)

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        forms = await self._reads.get_many(keys)
        return {key: decode_state(form) for key, form in forms.items() if not form["Deleted"]}

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, after: str = "", page: int = 1000
    ) -> AsyncIterator[Sequence[State]]:
        while forms := await page_of(self._collection, query_of(self._filters, where, _STATE, after), None, page):
            yield [decode_state(form) for form in forms if not form["Deleted"]]
            after = forms[-1]["_id"]


def _write(key: str, stored: int | None, version: int, state: State) -> InsertOne[Form] | UpdateOne:
    form = {"Deleted": state.get("Deleted") is True, **encode_state(state), "Version": version}
    if stored is None:
        return InsertOne({"_id": key, **form})
    return UpdateOne({"_id": key, "Version": stored}, {"$set": form})

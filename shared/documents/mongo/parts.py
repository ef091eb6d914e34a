"""Parts in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away
from shared.durability.parts import NAMES_AT_ONCE, check_part, end_of


@dataclass(frozen=True, slots=True)
class MongoParts:
    """See ``Parts``. The collection ``parts``: ``{_id: name@0000000007, Data}``."""

    collection: AsyncIOMotorCollection[Form]

    async def put(self, name: str, number: int, data: bytes) -> None:
        check_part(name, number, data)
        part_id = _part_id(name, number)
        with away():
            await self.collection.replace_one({"_id": part_id}, {"_id": part_id, "Data": data}, upsert=True)

    async def get(self, name: str, number: int) -> bytes | None:
        with away():
            form = await self.collection.find_one({"_id": _part_id(name, number)})
        return None if form is None else bytes(form["Data"])

    async def delete(self, name: str, number: int | None = None) -> None:
        with away():  # all by a range of ids, which every server does by the index of _id
            if number is None:
                await self.collection.delete_many({"_id": {"$gte": f"{name}@", "$lt": f"{name}A"}})
            else:
                await self.collection.delete_one({"_id": _part_id(name, number)})

    async def names(self, prefix: str, after: str = "") -> list[str]:
        """One read by the index for each: a name has many parts, and few names begin alike."""
        found: list[str] = []
        while len(found) < NAMES_AT_ONCE:
            last = found[-1] if found else after
            behind: Form = {"_id": {"$gt": f"{last}A" if last else prefix, "$lt": end_of(prefix)}}
            with away():
                form = await self.collection.find_one(behind, {"_id": 1}, sort=[("_id", 1)])
            if form is None:
                break
            found.append(str(form["_id"]).rpartition("@")[0])
        return found


def _part_id(name: str, number: int) -> str:
    return f"{name}@{number:010d}"

"""Leases in MongoDB: a document each, measured by the server's clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away
from shared.durability.lease import Lease, LeaseLost


class MongoLeases:
    """The collection ``leases``: ``{_id: name, Holder, Fence, Until, Record}``; see ``durability.lease.Leases``.

    The record is JSON text, so that it may hold every name. Each call is one atomic update.
    """

    def __init__(self, database: AsyncIOMotorDatabase[Form]) -> None:
        self._database = database
        self._collection = database["leases"]

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        now = await self._now()
        free: Form = {"_id": name}
        if not from_others:
            free["$or"] = [{"Holder": None}, {"Holder": holder}, {"Until": {"$lt": now}}]
        mine = {"$set": {"Holder": holder, "Until": now + timedelta(seconds=seconds)}, "$inc": {"Fence": 1}}
        try:
            with away():
                form = await self._collection.find_one_and_update(
                    free, mine, upsert=True, return_document=ReturnDocument.AFTER
                )
        except DuplicateKeyError:  # another holder has it, or has just been the first
            return await self.claim(name, holder, seconds, from_others=True) if from_others else None
        return Lease(name, holder, form["Fence"], _record(form))

    async def renew(self, lease: Lease, seconds: float, record: Mapping[str, Any] | None = None) -> None:
        values: Form = {"Until": await self._now() + timedelta(seconds=seconds)}
        if record is not None:
            values["Record"] = orjson.dumps(record).decode()
        if not await self._update(lease, values):
            raise LeaseLost(f"the lease {lease.name} is no longer held under number {lease.fence}")

    async def release(self, lease: Lease) -> None:
        await self._update(lease, {"Holder": None, "Until": None})

    async def record_of(self, name: str) -> Mapping[str, Any]:
        with away():
            present = await self._collection.find_one({"_id": name})
        return {} if present is None else _record(present)

    async def _now(self) -> datetime:
        """The server's clock, by the one command that every kind of server answers with it.

        It is read before the write that uses it, so a lease is never longer than asked for.
        """
        with away():
            now: datetime = (await self._database.command("isMaster"))["localTime"]
        return now.replace(tzinfo=UTC)  # a command's answer comes without a zone

    async def _update(self, lease: Lease, values: Form) -> bool:
        """Whether the lease was still held under its number."""
        held = {"_id": lease.name, "Holder": lease.holder, "Fence": lease.fence}
        with away():
            return bool((await self._collection.update_one(held, {"$set": values})).matched_count)


def _record(present: Form) -> Mapping[str, Any]:
    return orjson.loads(present["Record"]) if present.get("Record") else {}

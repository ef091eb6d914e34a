"""Leases in MongoDB: a document each, measured by the server's clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away
from shared.durability.lease import Lease, LeaseLost

_ATTEMPTS: Final = 8
"""Each attempt that fails means that another holder came first. After so many the lease is left to them."""


class MongoLeases:
    """The collection ``leases``: ``{_id: name, Holder, Fence, Until, Record}``; see ``durability.lease.Leases``.

    The record is JSON text, so that it may hold every name. A holder writes under the condition that the number is the
    one that it read, so only single-document atomicity is needed.
    """

    def __init__(self, database: AsyncIOMotorDatabase[Form]) -> None:
        self._database = database
        self._collection = database["leases"]

    async def claim(self, name: str, holder: str, seconds: float, *, from_others: bool = False) -> Lease | None:
        for _ in range(_ATTEMPTS):
            now = await self._now()
            with away():
                present = await self._collection.find_one({"_id": name})
            if present is not None and not from_others and _is_held_by_another(present, holder, now):
                return None
            fence = 1 if present is None else present["Fence"] + 1
            mine = {"Holder": holder, "Fence": fence, "Until": now + timedelta(seconds=seconds)}
            if await self._write(name, present, mine):
                return Lease(name, holder, fence, {} if present is None else _record(present))
        return None

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

    async def _write(self, name: str, present: Form | None, mine: Form) -> bool:
        """Whether nobody else has taken or renewed the lease since ``present`` was read."""
        with away():
            if present is None:
                try:
                    await self._collection.insert_one({"_id": name, **mine})
                except DuplicateKeyError:
                    return False
                return True
            unchanged = {"_id": name, "Fence": present["Fence"], "Until": present["Until"]}
            return bool((await self._collection.update_one(unchanged, {"$set": mine})).matched_count)

    async def _update(self, lease: Lease, values: Form) -> bool:
        """Whether the lease was still held under its number."""
        held = {"_id": lease.name, "Holder": lease.holder, "Fence": lease.fence}
        with away():
            return bool((await self._collection.update_one(held, {"$set": values})).matched_count)


def _is_held_by_another(present: Form, holder: str, now: datetime) -> bool:
    return present["Holder"] not in (None, holder) and present["Until"] >= now


def _record(present: Form) -> Mapping[str, Any]:
    return orjson.loads(present["Record"]) if present.get("Record") else {}

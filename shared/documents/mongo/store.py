"""One service's document store in one MongoDB database. A lease is measured by the server's clock."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.documents.contract import SWEEP_AFTER, Documents
from shared.documents.filters import Filters, check_name
from shared.documents.mongo.bulk import BulkCreations
from shared.documents.mongo.codec import Form
from shared.documents.mongo.documents import MongoDocuments
from shared.documents.mongo.errors import away
from shared.documents.mongo.heads import Collections, Items
from shared.documents.mongo.idempotency import MongoIdempotencyRecords
from shared.documents.mongo.parts import MongoParts
from shared.documents.mongo.read_models import MongoReadModel
from shared.documents.mongo.reads import page_of
from shared.documents.mongo.relay import MongoRelay
from shared.documents.mongo.steps import Steps
from shared.durability.lease import Lease, LeaseLost
from shared.durability.outbox import OutboxState, Publish
from shared.durability.read_model import ReadModel
from shared.errors import Unavailable
from shared.schemas.results import DeadLetter

_PATIENCE: Final = 30.0  # seconds for which a start waits for the server
_CREATOR_GONE: Final = 6  # sweeps after which the creator is taken to be gone
_DURABLE: Final[dict[str, Any]] = {"w": "majority", "journal": True, "readConcernLevel": "majority"}


def connect(url: str, database: str) -> AsyncIOMotorDatabase[Form]:
    """The database; nothing is connected yet. An acknowledged write survives a failover: majority, journalled."""
    client: AsyncIOMotorClient[Form] = AsyncIOMotorClient(
        url,
        tz_aware=True,
        serverSelectionTimeoutMS=4000,
        connectTimeoutMS=10000,  # also the heartbeat's: a shorter one would take a busy server for a dead one
        socketTimeoutMS=20000,
        maxPoolSize=64,
        **_DURABLE,
    )
    return client[database]


class MongoStore:
    """See ``Store``. ``source`` is the service's name, as its messages carry it.

    It needs no more of the server than single-document atomicity. Use it on one event loop, once.
    """

    def __init__(
        self, url: str, database: str, publish: Publish, *, source: str, sweep_after: float = SWEEP_AFTER
    ) -> None:
        self._database = connect(url, database)
        self._collections: dict[str, Collections] = {}
        self._documents: dict[str, MongoDocuments] = {}
        self._read_models: dict[str, MongoReadModel] = {}
        self._records = MongoIdempotencyRecords(self._database)
        intents, meta = self._database["intents"], self._database["meta"]
        patience = timedelta(seconds=sweep_after * _CREATOR_GONE)
        self._bulk = BulkCreations(intents, meta, self._collections, publish, source, patience)
        steps = Steps(meta, self._collections, self._records, publish, source)
        self._relay = MongoRelay(steps, self._collections, self._bulk, sweep_after)
        self.drain = self._relay.drain
        self.keep_refusal = self._records.keep_refusal
        self._source = source
        self._started = False

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents:
        if name not in self._documents:
            self._before_start(name)
            collections = Collections(self._database[f"{check_name(name)}.heads"], Items(self._database, name))
            self._collections[name], declared = collections, Filters(filters)
            self._documents[name] = MongoDocuments(
                name, schema_version, collections, declared, self._records, self._relay, self._bulk, self._source
            )
        return self._documents[name]

    def read_model(self, name: str, *, filters: Sequence[str] = ()) -> ReadModel:
        if name not in self._read_models:
            self._before_start(name)
            collection = self._database[f"read_model.{check_name(name)}"]
            self._read_models[name] = MongoReadModel(collection, Filters(filters))
        return self._read_models[name]

    def parts(self) -> MongoParts:
        return MongoParts(self._database["parts"])

    def dead_letters(self) -> MongoDeadLetters:
        return MongoDeadLetters(self._database["dead_letters"])

    def leases(self) -> MongoLeases:
        return MongoLeases(self._database)

    def _before_start(self, name: str) -> None:
        if self._started:
            raise RuntimeError(f"declare {name} before the store is started: its indexes are made then")

    async def start(self) -> None:
        self._started = True
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            try:
                await self._prepare()
                break
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.5)
        await self._relay.start()

    async def _prepare(self) -> None:
        await self._records.prepare()
        await self._bulk.prepare()
        for documents in self._documents.values():
            await documents.prepare()
        for read_model in self._read_models.values():
            await read_model.prepare()

    async def stop(self) -> None:
        try:
            await self._relay.stop()
        finally:
            self._database.client.close()

    async def ping(self) -> None:
        with away():
            await self._database.command("ping")

    async def outbox(self) -> OutboxState:
        return self._relay.state()

    async def last_instant(self) -> datetime | None:
        with away():
            form = await self._database["meta"].find_one({"_id": "instant"})
        return None if form is None else form["At"]


class MongoDeadLetters:
    """See ``DeadLetterStore``."""

    def __init__(self, collection: AsyncIOMotorCollection[Form]) -> None:
        self._collection = collection

    async def put(self, letter: DeadLetter) -> None:
        form = {"_id": letter.id, "Letter": orjson.dumps(letter.wire())}
        with away():
            await self._collection.replace_one({"_id": letter.id}, form, upsert=True)

    async def get(self, letter_id: str) -> DeadLetter | None:
        with away():
            form = await self._collection.find_one({"_id": letter_id})
        return None if form is None else DeadLetter.model_validate_json(form["Letter"])

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        query: Form = {} if after is None else {"_id": {"$gt": after}}
        forms = await page_of(self._collection, query, None, limit)
        return [DeadLetter.model_validate_json(form["Letter"]) for form in forms]

    async def delete(self, letter_id: str) -> bool:
        with away():
            return (await self._collection.delete_one({"_id": letter_id})).deleted_count == 1


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

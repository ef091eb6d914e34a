"""Owns one service's document store on MongoDB: the connection, its collections, and what finishes the writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from shared.cause import Cause
from shared.documents.answers import Answer
from shared.documents.contract import Documents, OutboxState, Publish, Replica
from shared.documents.filters import Filters, check_name
from shared.documents.mongo.answers import MongoAnswers
from shared.documents.mongo.deadletters import MongoDeadLetters
from shared.documents.mongo.documents import MongoDocuments
from shared.documents.mongo.faults import away
from shared.documents.mongo.finishing import Finisher, Heads
from shared.documents.mongo.forms import Wire
from shared.documents.mongo.intents import Intents
from shared.documents.mongo.items import Items
from shared.documents.mongo.relay import Relay
from shared.documents.mongo.replica import MongoReplica
from shared.documents.mongo.writing import Writing
from shared.errors import Unavailable

__all__ = ["SWEEP_AFTER", "MongoStore", "connect"]

SWEEP_AFTER: Final = 5.0
"""Seconds after which any replica may finish what another began."""

_PATIENCE: Final = 30.0
_DURABLE: Final[dict[str, Any]] = {"w": "majority", "journal": True, "readConcernLevel": "majority"}


def connect(url: str, database: str) -> AsyncIOMotorDatabase[Wire]:
    """The database; nothing is connected yet. What was answered survives a failover: majority, journalled."""
    client: AsyncIOMotorClient[Wire] = AsyncIOMotorClient(
        url,
        tz_aware=True,
        serverSelectionTimeoutMS=4000,
        connectTimeoutMS=10000,  # also the heartbeat's: too short a one takes a busy server for a dead one
        socketTimeoutMS=20000,
        maxPoolSize=64,
        **_DURABLE,
    )
    return client[database]


class MongoStore:
    """See ``contract.Store``. ``source`` is the service's name, as its messages carry it.

    Single-document atomicity is all it asks of the server. Use it on one event loop, once.
    """

    def __init__(
        self,
        url: str,
        database: str,
        publish: Publish,
        *,
        source: str,
        sweep_after: float = SWEEP_AFTER,
    ) -> None:
        self._database = connect(url, database)
        self._heads: dict[str, Heads] = {}
        self._documents: dict[str, MongoDocuments] = {}
        self._replicas: dict[str, MongoReplica] = {}
        self._answers = MongoAnswers(self._database)
        self._intents = Intents(self._database, self._heads, publish, source, sweep_after)
        finisher = Finisher(self._database, self._heads, self._answers, publish, source)
        self._relay = Relay(finisher, self._heads, sweep_after, self._intents)
        self._source = source
        self._started = False

    def documents(self, name: str, *, filters: Sequence[str] = (), schema_version: int = 1) -> Documents:
        if name not in self._documents:
            self._before_start(name)
            heads = Heads(self._database[check_name(name)], Items(self._database, name))
            self._heads[name] = heads
            writing = Writing(name, heads, self._answers, self._relay, self._intents, self._source)
            self._documents[name] = MongoDocuments(writing, Filters(filters), schema_version)
        return self._documents[name]

    def replica(self, name: str, *, filters: Sequence[str] = ()) -> Replica:
        if name not in self._replicas:
            self._before_start(name)
            collection = self._database[f"replica.{check_name(name)}"]
            self._replicas[name] = MongoReplica(collection, Filters(filters))
        return self._replicas[name]

    def dead_letters(self) -> MongoDeadLetters:
        return MongoDeadLetters(self._database["dead_letters"])

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
        await self._answers.prepare()
        for documents in self._documents.values():
            await documents.prepare()
        for replica in self._replicas.values():
            await replica.prepare()

    async def stop(self) -> None:
        try:
            await self._relay.stop()
        finally:
            self._database.client.close()

    async def ping(self) -> None:
        with away():
            await self._database.command("ping")

    async def drain(self) -> None:
        await self._relay.drain()

    async def outbox(self) -> OutboxState:
        return self._relay.state()

    async def answer_of(self, cause: Cause) -> Answer | None:
        return await self._answers.answer_of(cause)

    async def keep_answer(self, cause: Cause, answer: Answer) -> Answer:
        return await self._answers.keep_answer(cause, answer)

    async def last_instant(self) -> datetime | None:
        with away():
            form = await self._database["meta"].find_one({"_id": "instant"})
        return None if form is None else form["At"]

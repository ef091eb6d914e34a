"""Every kind of store of the kit, for suites over what all of them offer; each test has its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pymongo
import pytest

from shared.cause import Cause
from shared.documents import Change, OutgoingEvent, ReadModel
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.durability.dead_letters import DeadLetterStore
from shared.durability.lease import Leases
from shared.durability.outbox import OutboxState, Publish
from shared.envelope import Message
from shared.errors import Refused
from shared.relational import Database
from shared.trace import Trace
from tests.support.broker import Broker
from tests.support.relational import METADATA, mysql_database

NOW = datetime(2024, 6, 15, 9, 0, 0, 123000, tzinfo=UTC)
TRACE = Trace("correlation", "command", None)


class AnyStore(Protocol):
    """What the suites use of a store; ``read_model`` is called before ``start``."""

    def leases(self) -> Leases: ...
    def dead_letters(self) -> DeadLetterStore: ...
    def read_model(self, name: str, *, filters: tuple[str, ...] = ()) -> ReadModel: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def drain(self) -> None: ...
    async def outbox(self) -> OutboxState: ...
    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None: ...


class MakeStore(Protocol):
    def __call__(self, publish: Publish | None = None) -> AnyStore:
        """A store that publishes to nobody in particular, or by ``publish``."""


async def write_event(store: AnyStore, key: str, number: int) -> None:
    """The write number ``number`` of a key, counted from 1, which publishes one event. See ``numbers_of``."""
    if isinstance(store, Database):
        message = Message(
            "thing.updated", "thing.updated", key, b"{}", "test_svc", NOW, TRACE, id=f"{key}:{number}:thing.updated"
        )
        await store.write(lambda unit: unit.emit([message]))
    elif isinstance(store, SqliteStore | MongoStore):
        change = Change({"Number": number}, (OutgoingEvent("thing.updated"),))
        await store.documents("thing").update(key, lambda _: change, Cause(NOW, "ann", TRACE))


def numbers_of(broker: Broker, key: str) -> list[int]:
    """The numbers of a key's events as they were published, each where it came first."""
    return list(dict.fromkeys(int(message.id.split(":")[1]) for message in broker.of(key)))


@pytest.fixture(
    params=[
        "documents on sqlite",
        "relational on sqlite",
        pytest.param("documents on mongo", marks=pytest.mark.docker),
        pytest.param("relational on mysql", marks=pytest.mark.docker),
    ]
)
async def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeStore]:
    """Makes stores on one database: each as another process of the service would. All are stopped at the end."""
    async with AsyncExitStack() as at_end:
        make: Callable[[Publish], Any]
        match request.param.split(" on "):
            case ["documents", "sqlite"]:

                def make(publish: Publish) -> SqliteStore:
                    return SqliteStore(tmp_path / "data" / "test.db", publish, source="test_svc")
            case ["documents", "mongo"]:
                url, name = request.getfixturevalue("mongo_url"), f"t{uuid.uuid4().hex[:12]}"
                client = at_end.enter_context(pymongo.MongoClient(url))
                at_end.callback(client.drop_database, name)

                def make(publish: Publish) -> MongoStore:
                    return MongoStore(url, name, publish, source="test_svc")
            case [_, backend]:
                address: str | Path = tmp_path / "data" / "test.db"
                if backend == "mysql":
                    root = request.getfixturevalue("mysql_url")
                    address = await at_end.enter_async_context(mysql_database(root))

                def make(publish: Publish) -> Database:
                    return Database(address, publish=publish, migrate=METADATA.create_all)

        def made(publish: Publish | None = None) -> AnyStore:
            store = make(publish or Broker().publish)
            if isinstance(store, SqliteStore | MongoStore):
                store.documents("thing")
            at_end.push_async_callback(store.stop)
            started: AnyStore = store
            return started

        yield made

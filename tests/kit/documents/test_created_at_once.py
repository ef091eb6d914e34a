"""Documents created at once, as SQLite stores them: one outbox row, published from memory or from the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from shared.cause import Cause
from shared.documents import Documents, State, Store
from shared.documents.sqlite import SqliteStore
from shared.durability.outbox import Publish
from shared.envelope import Message
from shared.trace import Trace
from tests.support.broker import Broker
from tests.support.waiting import until

pytestmark = pytest.mark.slow

CAUSE = Cause(datetime(2024, 6, 15, 9, tzinfo=UTC), "ann", Trace("correlation", "command", "parent"), None, "d", "why")
STATES: dict[str, State] = {
    "F1": {"A": 1, "_Memory": {"B": 2}, "Text": "ü"},
    "F2": {},
    "F3": {"_Memory": 1},
    "F4": {"A": [{"B": None}], "UNDER_SCORED": True},
}


@asynccontextmanager
async def opened(path: Path, publish: Publish):
    store: Store = SqliteStore(path, publish, source="thing_svc")
    documents: Documents = store.documents("thing")
    await store.start()
    try:
        yield store, documents
    finally:
        await store.stop()


def outbox(path: Path) -> list[tuple]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT resource, version, type, keys FROM outbox").fetchall()
    connection.close()
    return rows


async def test_memory_and_file_give_the_same_messages(tmp_path: Path) -> None:
    asked: list[Message] = []

    async def never(messages: Sequence[Message]) -> list[Exception | None]:
        asked.extend(messages)
        return [ConnectionError("away")] * len(messages)

    async with opened(tmp_path / "thing.db", never) as (_, documents):
        await documents.create_many(STATES.items(), "thing.created", CAUSE)

        async def was_asked() -> bool:
            return len(asked) >= len(STATES)

        await until(was_asked, "all were asked to be published")
    assert outbox(tmp_path / "thing.db") == [("thing", 1, "thing.created", orjson.dumps(list(STATES)).decode())]
    broker = Broker()
    async with opened(tmp_path / "thing.db", broker.publish) as (store, _):
        await store.drain()
    assert broker.taken == asked[: len(STATES)]
    assert {message.id for message in broker.taken} == {f"{key}:1:thing.created" for key in STATES}


async def test_of_many_only_those_that_did_not_go_wait_on(tmp_path: Path) -> None:
    broker = Broker()
    broker.refused = {"F3"}
    async with opened(tmp_path / "thing.db", broker.publish) as (store, documents):
        await documents.create_many(STATES.items(), "thing.created", CAUSE)

        async def one_waits() -> bool:
            return (await store.outbox()).open == 1

        await until(one_waits, "all went but F3")
        assert outbox(tmp_path / "thing.db") == [("thing", 1, "thing.created", '["F3"]')]
        broker.refused = set()
        await store.drain()
    assert sorted(message.key for message in broker.taken) == ["F1", "F2", "F3", "F4"]
    assert outbox(tmp_path / "thing.db") == []

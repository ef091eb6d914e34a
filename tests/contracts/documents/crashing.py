"""Crashes: a store whose process dies before, or half way through, a chosen step on its database or its broker.

From then on nothing of that store reaches the database any more, as if the process were gone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.durability.outbox import Publish
from shared.envelope import Message

_WRITES = {"insert_one", "update_one", "replace_one", "delete_one", "insert_many", "bulk_write"}


class Died(Exception):
    """The process is gone."""


class Faults:
    """Counts the writes and sends of one store once it is armed; dies at step ``at``, and stays dead."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.steps = 0
        self.dead = asyncio.Event()
        self._gone = False  # as `dead`, but at once and in every thread
        self._loop = asyncio.get_running_loop()

    def arm(self, at: int) -> None:
        self.at, self.steps = at, 0

    def step(self) -> bool:
        """Raises Died when this step is not to be. True for the one step that is to be done by half."""
        self.check()
        if self.at is None:
            return False
        self.steps += 1
        if self.steps == self.at:
            self._gone = True
            self._loop.call_soon_threadsafe(self.dead.set)
            raise Died
        return self.steps == self.at - 1

    def check(self) -> None:
        """Raises Died once it is dead."""
        if self._gone:
            raise Died

    def publishing(self, publish: Publish) -> Publish:
        """A broker that took messages, or only the first half of them, when the process died before it knew."""

        async def faulty(messages: Sequence[Message]) -> list[Exception | None]:
            if self.step():
                await publish(messages[: (len(messages) + 1) // 2])
                self.step()
            outcomes = await publish(messages)
            self.step()
            return outcomes

        return faulty


class FaultyCollection:
    def __init__(self, collection: Any, faults: Faults) -> None:
        self._collection = collection
        self._faults = faults

    def find(self, *args: Any, **kwargs: Any) -> Any:
        self._faults.check()
        return self._collection.find(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name not in _WRITES:
            self._faults.check()
            return method

        async def faulty(*args: Any, **kwargs: Any) -> Any:
            half = self._faults.step()
            if half and name in ("insert_many", "bulk_write"):
                await method(args[0][: (len(args[0]) + 1) // 2], **kwargs)
                self._faults.step()
            return await method(*args, **kwargs)

        return faulty


class FaultyDatabase:
    def __init__(self, database: Any, faults: Faults) -> None:
        self._database = database
        self._faults = faults
        self.client = database.client

    def __getitem__(self, name: str) -> FaultyCollection:
        return FaultyCollection(self._database[name], self._faults)

    async def command(self, *args: Any) -> Any:
        return await self._database.command(*args)


class FaultyConnection:
    """Statements are steps; what a dead process had not committed is taken back."""

    def __init__(self, connection: sqlite3.Connection, faults: Faults) -> None:
        self._connection = connection
        self._faults = faults

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._faults.step()
        return self._connection.execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        self._faults.step()
        return self._connection.executemany(*args)

    def close(self) -> None:
        self._connection.close()


def install(monkeypatch: pytest.MonkeyPatch, faults: Faults) -> None:
    """Stores opened from now on, until it is undone, are faulty ones."""
    from shared.documents.mongo import store as mongo_store
    from shared.durability import sqlite_writer

    connect_mongo: Callable[[str, str], Any] = mongo_store.connect
    connect_sqlite: Callable[[Path], sqlite3.Connection] = sqlite_writer.connect
    monkeypatch.setattr(
        mongo_store, "connect", lambda url, database: FaultyDatabase(connect_mongo(url, database), faults)
    )
    monkeypatch.setattr(sqlite_writer, "connect", lambda path: FaultyConnection(connect_sqlite(path), faults))

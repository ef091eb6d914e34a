"""Owns what rules and use cases are tested on: a document store in a file of the test's own, and its broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.documents.sqlite import SqliteStore
from shared.envelope import Message
from tests.doubles.broker import Broker

Told = Callable[..., Awaitable[list[Message]]]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def store(tmp_path: Path, broker: Broker) -> AsyncIterator[SqliteStore]:
    """Not started: what is kept in it is declared first."""
    store = SqliteStore(tmp_path / "store.db", broker.publish, source="test_svc")
    yield store
    await store.stop()


@pytest.fixture
def told(store: SqliteStore, broker: Broker) -> Told:
    """Gives what was published, in order; with a key, of that document alone."""

    async def told(key: str | None = None) -> list[Message]:
        await store.drain()
        return [message for message in broker.taken if key in (None, message.key)]

    return told

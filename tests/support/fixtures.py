"""Fixtures that many tests begin with: a document store in a file, its broker, settings, and the reference's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from epic.configuration import load_settings
from shared.documents.sqlite import SqliteStore
from shared.envelope import Message
from shared.settings import Settings
from tests.support.broker import Broker
from tests.support.clock import FixedClock

Published = Callable[..., Awaitable[list[Message]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


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
def published(store: SqliteStore, broker: Broker) -> Published:
    """Gives what was published, in order; with a key, of that document alone."""

    async def published(key: str | None = None) -> list[Message]:
        await store.drain()
        return [message for message in broker.taken if key in (None, message.key)]

    return published

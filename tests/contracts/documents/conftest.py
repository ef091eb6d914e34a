"""The stores the suite runs over: a SQLite file always, MongoDB where Docker is; each test has its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pymongo
import pytest

from shared.documents import Documents, Store
from tests.support.broker import Broker
from tests.support.document_stores import MONGO, Backend


@pytest.fixture(params=["sqlite", MONGO])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if request.param == "sqlite":
        made = Backend(tmp_path / "data" / "thing.db", "")
        yield made
        await made.close()
        return
    made = Backend(request.getfixturevalue("mongo_url"), f"t{uuid.uuid4().hex[:12]}")
    yield made
    made.broker.away = False
    await made.close()
    with pymongo.MongoClient(str(made.place)) as client:
        client.drop_database(made.database)


@pytest.fixture
async def store(backend: Backend) -> Store:
    opened, _ = await backend.open(filters=("ServiceId", "Place.Region", "Active", "Rank"))
    return opened


@pytest.fixture
def documents(store: Store) -> Documents:
    return store.documents("thing")


@pytest.fixture
def broker(backend: Backend) -> Broker:
    return backend.broker

"""The stores whose leases the suites run over; each test has its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pymongo
import pytest

from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.durability.lease import Leases
from shared.relational import Database
from tests.support.broker import Broker
from tests.support.relational import KIT, create_schema, mysql_database

Open = Callable[[], Awaitable[Leases]]


@pytest.fixture(
    params=[
        "documents on sqlite",
        "relational on sqlite",
        pytest.param("documents on mongo", marks=pytest.mark.docker),
        pytest.param("relational on mysql", marks=pytest.mark.docker),
    ]
)
async def open_leases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the leases of one store, each time as another process of the service would."""
    publish = Broker().publish
    async with AsyncExitStack() as opened:
        if request.param.startswith("relational"):
            mysql = request.param.endswith("mysql")
            address: str | Path = tmp_path / "jobs.db"
            if mysql:
                address = await opened.enter_async_context(mysql_database(request.getfixturevalue("mysql_url")))

            async def open_one() -> Leases:
                database = Database(address, kit=KIT, migrate=create_schema)
                opened.push_async_callback(database.stop)
                await database.prepare()
                return database.leases
        else:
            url, name = None, f"t{uuid.uuid4().hex[:12]}"
            if request.param.endswith("mongo"):
                url = request.getfixturevalue("mongo_url")
                client = opened.enter_context(pymongo.MongoClient(url))
                opened.callback(client.drop_database, name)

            async def open_one() -> Leases:
                store = (
                    SqliteStore(tmp_path / "jobs.db", publish, source="jobs_svc")
                    if url is None
                    else MongoStore(url, name, publish, source="jobs_svc")
                )
                opened.push_async_callback(store.stop)
                await store.start()
                return store.leases()

        yield open_one


@pytest.fixture
async def leases(open_leases: Open) -> Leases:
    return await open_leases()

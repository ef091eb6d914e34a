"""Every kind of store of the kit, for suites over what all of them offer; each test has its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pymongo
import pytest

from shared.documents import ReadModel
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.durability.lease import Leases
from shared.relational import Database, ReadModelTable, name_text
from tests.support.broker import Broker
from tests.support.relational import KIT, create_schema, mysql_database

__all__ = ["AnyStore", "MakeStore", "make_store"]


class AnyStore(Protocol):
    """What the suites use of a store; ``read_model`` is called before ``start``."""

    def leases(self) -> Leases: ...
    def read_model(self, name: str, *, filters: tuple[str, ...] = ()) -> ReadModel: ...
    async def start(self) -> None: ...


class RelationalStore(Database):
    """A relational store whose read models are declared as those of documents are: each filter is a name."""

    def read_model(self, name: str, *, filters: tuple[str, ...] = ()) -> ReadModel:  # type: ignore[override]
        return super().read_model(ReadModelTable(name, {field: name_text() for field in filters}))


MakeStore = Callable[[], AnyStore]


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
    publish = Broker().publish
    async with AsyncExitStack() as at_end:
        match request.param.split(" on "):
            case ["documents", "sqlite"]:

                def make() -> SqliteStore | MongoStore | RelationalStore:
                    return SqliteStore(tmp_path / "data" / "test.db", publish, source="test_svc")
            case ["documents", "mongo"]:
                url, name = request.getfixturevalue("mongo_url"), f"t{uuid.uuid4().hex[:12]}"
                client = at_end.enter_context(pymongo.MongoClient(url))
                at_end.callback(client.drop_database, name)

                def make() -> SqliteStore | MongoStore | RelationalStore:
                    return MongoStore(url, name, publish, source="test_svc")
            case [_, backend]:
                address: str | Path = tmp_path / "data" / "test.db"
                if backend == "mysql":
                    root = request.getfixturevalue("mysql_url")
                    address = await at_end.enter_async_context(mysql_database(root))

                def make() -> SqliteStore | MongoStore | RelationalStore:
                    return RelationalStore(address, kit=KIT, migrate=create_schema)

        def made() -> AnyStore:
            store = make()
            at_end.push_async_callback(store.stop)
            return store

        yield made

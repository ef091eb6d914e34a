"""Writes of a document, and stores on one database, as the suites of the document stores use them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, State, Store
from shared.documents.mongo import MongoStore
from shared.documents.sqlite import SqliteStore
from shared.durability.outbox import OutboxState, Publish
from shared.trace import Trace
from tests.support.broker import Broker
from tests.support.waiting import eventually

NOW = datetime(2024, 6, 15, 9, 0, 0, 123000, tzinfo=UTC)


def cause(cause_id: str | None = None, *, digest: str = "d", user: str = "ann", message: str | None = None) -> Cause:
    return Cause(NOW, user, Trace("correlation", "command", None), cause_id, digest, message)


def setting(state: State, event: str = "thing.updated") -> Change:
    return Change(state, (OutgoingEvent(event),))


def creating(state: State):
    return lambda present: setting(state, "thing.created") if present is None else None


def adding(amount: int = 1):
    """Counts up: what is applied twice, or lost, shows."""

    def add(present: Document | None) -> Change:
        count = present.state["Count"] if present else 0
        return setting({"Count": count + amount})

    return add


async def nothing_is_open(store: Store) -> None:
    """Returns when the store knows of no open write; its sweeper may have found one just before it was finished."""
    await eventually(store.outbox, lambda state: state == OutboxState(0, None), "an empty outbox")


class Backend:
    """Opens stores on one database: each is a replica of the service."""

    def __init__(self, place: str | Path, database: str) -> None:
        self.place = place
        self.database = database
        self.broker = Broker()
        self.stores: list[Store] = []

    @property
    def is_mongo(self) -> bool:
        return isinstance(self.place, str)

    def make(self, publish: Publish | None = None, sweep_after: float = 0.2) -> Store:
        publish = publish or self.broker.publish
        if isinstance(self.place, str):
            return MongoStore(self.place, self.database, publish, source="thing_svc", sweep_after=sweep_after)
        return SqliteStore(self.place, publish, source="thing_svc", sweep_after=sweep_after)

    async def open(
        self, publish: Publish | None = None, *, filters: Sequence[str] = (), sweep_after: float = 0.2
    ) -> tuple[Store, Documents]:
        store = self.make(publish, sweep_after)
        documents = store.documents("thing", filters=filters)
        await store.start()
        self.stores.append(store)
        return store, documents

    async def close(self) -> None:
        for store in self.stores:
            await store.stop()


MONGO = pytest.param("mongo", marks=pytest.mark.docker)
on_mongo_only = pytest.mark.parametrize("backend", [MONGO], indirect=True)
"""For what SQLite has no counterpart of: it writes rows in one transaction, and is read where it is."""

"""The stores the suites run over, with a broker that takes their events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.documents import ReadModel
from shared.durability.lease import Leases
from tests.support.broker import Broker
from tests.support.stores import AnyStore, MakeStore, make_store  # noqa: F401 - a fixture


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def store(make_store: MakeStore, broker: Broker) -> AnyStore:  # noqa: F811
    made = make_store(broker.publish)
    await made.start()
    return made


@pytest.fixture
def open_leases(make_store: MakeStore) -> Callable[[], Awaitable[Leases]]:  # noqa: F811
    """Opens the leases of one store, each time as another process of the service would."""

    async def open_one() -> Leases:
        store = make_store()
        await store.start()
        return store.leases()

    return open_one


@pytest.fixture
async def leases(store: AnyStore) -> Leases:
    return store.leases()


@pytest.fixture
async def read_models(make_store: MakeStore) -> list[ReadModel]:  # noqa: F811
    """The same read model as two processes have it."""
    made = []
    for _ in range(2):
        store = make_store()
        made.append(store.read_model("fleet", filters=("ServiceId", "Place.Region")))
        await store.start()
    return made

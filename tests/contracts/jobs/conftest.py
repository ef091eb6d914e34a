"""The stores whose leases the suites run over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.durability.lease import Leases
from tests.support.stores import MakeStore, make_store  # noqa: F401 - a fixture


@pytest.fixture
def open_leases(make_store: MakeStore) -> Callable[[], Awaitable[Leases]]:  # noqa: F811
    """Opens the leases of one store, each time as another process of the service would."""

    async def open_one() -> Leases:
        store = make_store()
        await store.start()
        return store.leases()

    return open_one


@pytest.fixture
async def leases(open_leases: Callable[[], Awaitable[Leases]]) -> Leases:
    return await open_leases()

"""The stores the suites run over, with a broker that takes their events."""

from __future__ import annotations

import pytest

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

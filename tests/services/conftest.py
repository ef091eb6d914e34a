"""Every declared resource by itself, over HTTP, on a store of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.documents.sqlite import SqliteStore
from shared.resources import Declared, Resource
from tests.support.clock import FixedClock
from tests.support.resources import calling_resource, create, declared_on


@pytest.fixture
def declared(resource: Resource[Any], store: SqliteStore, clock: FixedClock) -> Declared:
    return declared_on(resource, store, clock)


@pytest.fixture
async def http(
    resource: Resource[Any], declared: Declared, store: SqliteStore, clock: FixedClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with calling_resource(resource, declared, store, clock) as client:
        yield client


@pytest.fixture
async def made(resource: Resource[Any], http: httpx.AsyncClient) -> dict[str, Any]:
    return await create(resource, http)

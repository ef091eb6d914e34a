"""Owns fleet_svc's HTTP side on stores in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.fleet_svc.app import BASE_FILTERS, LINE_FILTERS, PROJECTION, SERVICE, Fleets, of_known_fleets
from services.fleet_svc.entrypoints.http import fleet_routes
from shared.clock import FixedClock
from shared.resources import Resources, resource_routes
from tests.doubles.documents import MemoryDocuments
from tests.doubles.http import app_of, calling


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


@pytest.fixture
def bases() -> MemoryDocuments:
    return MemoryDocuments(filters=tuple(BASE_FILTERS.values()))


@pytest.fixture
def lines() -> MemoryDocuments:
    return MemoryDocuments(filters=LINE_FILTERS)


@pytest.fixture
def fleets(bases: MemoryDocuments, lines: MemoryDocuments) -> Fleets:
    return Fleets(bases, lines)


@pytest.fixture
async def http(fleets: Fleets, bases: MemoryDocuments, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    services = Resources(SERVICE, MemoryDocuments(filters=tuple(SERVICE.filters.values())))
    projections = Resources(
        PROJECTION, MemoryDocuments(filters=tuple(PROJECTION.filters.values())), admit=of_known_fleets(bases)
    )
    history = ["/projection/{FleetId}/{EventId}/history"]
    app = app_of(
        resource_routes(services, clock),
        fleet_routes(fleets, clock),
        resource_routes(projections, clock, also_history=history),
    )
    async with calling(app) as client:
        yield client

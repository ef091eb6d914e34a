"""fleet_svc for tests: its routes on a store of the test's own, and running with event_svc in the test's process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import httpx

from services.event_svc.bootstrap import build as build_event
from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.bootstrap import accept_command, bau_on, bau_routes, commands_of, declared_on, report_command
from services.fleet_svc.bootstrap import build as build_fleet
from services.fleet_svc.entrypoints.http import fleet_routes
from services.fleet_svc.entrypoints.throttling import throttling_routes
from shared.clock import Clock
from shared.documents import Store
from shared.settings import Settings
from shared.web import Routes
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack

BARE: dict[str, Any] = {
    "FleetId": "F1",
    "ServiceId": "S1",
    "FleetConfiguration": {"Region": "us-east-1", "HostThroughPutTPM": 250},
}
FailingAt = Callable[[str], AbstractContextManager[None]]


async def ok(answer_: Any) -> dict[str, Any]:
    answer: httpx.Response = await answer_
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def routes_on(store: Store, fleets: Fleets, clock: Clock) -> list[Routes]:
    """The routes of fleet_svc on a store that is not started yet."""
    declared = declared_on(store, fleets, clock)
    throttling = throttling_routes(report_command(declared), declared["Throttling"], clock)
    bau = bau_on(store, declared, fleets, clock)
    own = bau_routes(accept_command(declared, bau), declared, bau)
    return [*declared.routes(), fleet_routes(commands_of(fleets), fleets, clock), throttling, *own]


class Both(Stack):
    """``fleet`` and ``event`` call them over HTTP."""

    @property
    def event(self) -> httpx.AsyncClient:
        return self.replicas[0].http

    @property
    def fleet(self) -> httpx.AsyncClient:
        return self.replicas[1].http


@asynccontextmanager
async def running(settings: Settings, clock: FixedClock) -> AsyncIterator[Both]:
    async with open_stack(Both, settings, clock) as stack:
        await stack.start(build_event)
        await stack.start(build_fleet)
        yield stack

"""Eventplan_svc as the measurements use it: alone with a company it knows, and event after event."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

from bench.company import Company, CompanyPublisher
from bench.figure import Disagreement
from bench.process import Process
from bench.raw.kafka import Counter
from bench.raw.mongo import connected
from bench.stage import Servers, Stage

PLAN_CREATED = "eventplan.created"
_PATIENCE = 180.0


class Planning:
    """The service process on servers of its own, and the company of ``fleets`` fleets."""

    def __init__(
        self, on: Servers, company: Company, service: Process, publisher: CompanyPublisher, counter: Counter
    ) -> None:
        self.on = on
        self.company = company
        self.service = service
        self._publisher = publisher
        self._counter = counter
        self._ids: Iterator[str] = (f"EV{number}" for number in itertools.count(1))

    @classmethod
    async def begin(cls, stage: Stage, fleets: int) -> Planning:
        on, company = await stage.servers("kafka", "mongo"), Company(fleets)
        publisher = await stage.enter(CompanyPublisher(on.kafka))
        service = await stage.service("eventplan_svc", on)
        counter = await stage.enter(Counter.on(on.kafka))
        planning = cls(on, company, service, publisher, counter)
        await publisher.publish(company.standing())
        async with connected(on.mongo, "eventplan") as database:
            await _reaches(database["read_model.service"], company.services)
            await _reaches(database["read_model.fleet"], company.fleets)
        await planning.at_rest()
        return planning

    async def plan(self) -> tuple[str, float]:
        """Tells of a new event; its id, and the seconds until the broker has the last fleet's plan."""
        event_id, before = next(self._ids), await self._counter.count(PLAN_CREATED)
        event = self.company.event(event_id)
        began = time.perf_counter()
        await self._publisher.publish([event])
        ended = await self._counter.reaches(PLAN_CREATED, before + self.company.fleets)
        return event_id, ended - began

    async def at_rest(self) -> None:
        """Returns when the service has done all that followed."""
        await self._publisher.consumed("eventplan_svc.events", "eventplan_svc.services", "eventplan_svc.fleets")
        await self.service.idle()


async def _reaches(collection: Any, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while (seen := await collection.count_documents({})) < count:
        if time.monotonic() > deadline:
            raise Disagreement(f"{collection.name} has {seen} documents where {count} were published")
        await asyncio.sleep(0.1)

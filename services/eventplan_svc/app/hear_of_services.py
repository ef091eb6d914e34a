"""Use case: services were created, changed or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import Knowledge, Snapshot
from services.eventplan_svc.app.make_due_plans import MakeDuePlans
from services.eventplan_svc.app.settle_plans import SettlePlans
from services.eventplan_svc.domain.plan import plan_id
from services.eventplan_svc.domain.surroundings import Fleet, Service
from shared.trace import Trace

__all__ = ["HearOfServices"]

_AT_ONCE: Final = 16
_MANY: Final = 50


class HearOfServices:
    """Keeps the services, makes the plans of their fleets that are due now, and settles those there. Idempotent."""

    def __init__(self, knowledge: Knowledge, make: MakeDuePlans, settle: SettlePlans, board: Board) -> None:
        self._knowledge = knowledge
        self._make = make
        self._settle = settle
        self._board = board

    async def __call__(self, snapshots: Sequence[Snapshot], traces: Mapping[str, Trace]) -> None:
        """Any number of versions of any services; ``traces`` by ServiceId."""
        await self._knowledge.keep_services(snapshots)
        for snapshot in snapshots:
            self._board.put_service(Service.from_snapshot(snapshot), snapshot["VersionId"])
        events = await self._knowledge.events()
        if not events:
            return
        fleets = await self._fleets_of(sorted({snapshot["ServiceId"] for snapshot in snapshots}))
        if not fleets:
            return
        await self._make.for_fleets(fleets, events, traces[snapshots[-1]["ServiceId"]])
        await self._settle(
            {plan_id(event.event_id, fleet.fleet_id): traces[fleet.service_id] for event in events for fleet in fleets}
        )

    async def _fleets_of(self, service_ids: Sequence[str]) -> list[Fleet]:
        """One look at all fleets where many services are asked for."""
        if len(service_ids) > _MANY:
            wanted = set(service_ids)
            pages = self._knowledge.fleets_by_page()
            return [fleet async for page in pages for fleet in page if fleet.service_id in wanted]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def of(service_id: str) -> list[Fleet]:
            async with gate:
                return [fleet async for page in self._knowledge.fleets_by_page(service_id) for fleet in page]

        return [fleet for fleets in await asyncio.gather(*map(of, service_ids)) for fleet in fleets]

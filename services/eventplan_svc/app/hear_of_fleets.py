"""Use case: fleets were created, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.knowledge import Knowledge, Snapshot
from services.eventplan_svc.app.make_due_plans import MakeDuePlans
from services.eventplan_svc.app.settle_plans import SettlePlans
from services.eventplan_svc.domain.plan import plan_id
from services.eventplan_svc.domain.surroundings import Fleet
from shared.trace import Trace

__all__ = ["HearOfFleets"]


class HearOfFleets:
    """Keeps the fleets, makes the plans that are due now, and settles those that were there. Idempotent."""

    def __init__(self, knowledge: Knowledge, make: MakeDuePlans, settle: SettlePlans, board: Board) -> None:
        self._knowledge = knowledge
        self._make = make
        self._settle = settle
        self._board = board

    async def __call__(self, snapshots: Sequence[Snapshot], traces: Mapping[str, Trace]) -> None:
        """Base lines only, any number of versions of any fleets; ``traces`` by FleetId."""
        if not snapshots:
            return
        await self._knowledge.keep_fleets(snapshots)
        for snapshot in snapshots:
            self._board.put_fleet(Fleet.from_snapshot(snapshot), snapshot["VersionId"])
        events = await self._knowledge.events()
        if not events:
            return
        fleets = await self._knowledge.fleets_named(snapshot["FleetId"] for snapshot in snapshots)
        await self._make.for_fleets(fleets.values(), events, traces[snapshots[-1]["FleetId"]])
        # No plan can have been made of an older version than the first.
        changed = {snapshot["FleetId"] for snapshot in snapshots if snapshot["VersionId"] > 1}
        await self._settle(
            {plan_id(event.event_id, fleet_id): traces[fleet_id] for event in events for fleet_id in sorted(changed)}
        )

"""Who works on which fleets of a run: fleets are claimed with their locks, held against all others, and released."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Update, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.ports import Claim, ClaimedFleet
from services.hotw_svc.app.runs.run import Run
from shared.relational import RELEASED, claimed, database_now, is_free, is_held
from shared.schemas.hotw_svc import RunStatus

_BLOCKED_PAUSE: Final = 0.5  # seconds until a fleet that another run has locked is looked at again


class Claims:
    """The claims of one transaction, measured by the database's clock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, run: Run, holder: str, limit: int, lease: float) -> Claim:
        """A fleet that another run has locked is tried again in a moment, and refused after a whole lease."""
        work = t.run_fleet
        overdue = (work.c.BlockedSince < database_now(-lease)).label("overdue")
        rows = (
            await self._connection.execute(
                select(work.c.FleetIndexId, work.c.FleetId, overdue)
                .where(work.c.RunId == run.run_id, or_(work.c.ClaimUntil.is_(None), work.c.ClaimUntil < database_now()))
                .order_by(work.c.FleetIndexId)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        ).all()
        if not rows:
            still_open = select(func.count()).select_from(work).where(work.c.RunId == run.run_id)
            return Claim(blocked=int((await self._connection.execute(still_open)).scalar_one()))
        if run.dry_run:
            await self._keep([row.FleetIndexId for row in rows], run, lease)
            return Claim(tuple(ClaimedFleet(row.FleetIndexId, row.FleetId, fence=0, revision=0) for row in rows))
        locks = await self._lock([row.FleetId for row in rows], run.locked_by, holder, lease)
        mine = [row for row in rows if locks[row.FleetId].Holder == holder]
        others = [row for row in rows if locks[row.FleetId].Holder != holder]
        refused = {row.FleetId: locks[row.FleetId].LockedBy or "Another run" for row in others if row.overdue}
        blocked = [row for row in others if not row.overdue]
        claimed = [row.FleetIndexId for row in rows if locks[row.FleetId].Holder == holder or row.overdue]
        await self._keep(claimed, run, lease)
        if blocked:
            await self._connection.execute(
                update(work)
                .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_([row.FleetIndexId for row in blocked]))
                .values(
                    ClaimUntil=database_now(_BLOCKED_PAUSE),
                    BlockedSince=func.coalesce(work.c.BlockedSince, database_now()),
                )
            )
        fleets = tuple(
            ClaimedFleet(row.FleetIndexId, row.FleetId, locks[row.FleetId].Fence, locks[row.FleetId].Revision)
            for row in mine
        )
        return Claim(fleets, refused, len(blocked))

    async def _keep(self, fleet_index_ids: Sequence[int], run: Run, lease: float) -> None:
        work = t.run_fleet
        await self._connection.execute(
            update(work)
            .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_(fleet_index_ids))
            .values(ClaimUntil=database_now(lease))
        )

    async def _lock(self, fleet_ids: Sequence[str], locked_by: str, holder: str, lease: float) -> dict[str, Any]:
        lock = t.fleet_lock
        await self._connection.execute(
            update(lock)
            .where(lock.c.FleetId.in_(sorted(fleet_ids)), is_free(lock))
            .values(claimed(lock, holder, lease) | {"LockTimestamp": database_now(), "LockedBy": locked_by})
        )
        asked = select(lock.c.FleetId, lock.c.Holder, lock.c.LockedBy, lock.c.Fence, lock.c.Revision)
        rows = (await self._connection.execute(asked.where(lock.c.FleetId.in_(list(fleet_ids))))).all()
        return {row.FleetId: row for row in rows}

    async def still_held(self, run: Run, holder: str, fleets: Sequence[ClaimedFleet]) -> dict[str, int]:
        lock = t.fleet_lock
        status = (
            await self._connection.execute(
                select(t.hotw_run.c.RunStatus).where(t.hotw_run.c.RunId == run.run_id).with_for_update(read=True)
            )
        ).scalar_one()
        if run.dry_run:
            return await self._still_open(run, fleets) if status == RunStatus.RUNNING.value else {}
        if status != RunStatus.RUNNING.value:
            await self._connection.execute(_unlocked(holder, [fleet.fleet_id for fleet in fleets]))
            return {}
        fences = {fleet.fleet_id: fleet.fence for fleet in fleets}
        rows = await self._connection.execute(
            select(lock.c.FleetId, lock.c.Fence, lock.c.Revision)
            .where(lock.c.FleetId.in_(sorted(fences)), is_held(lock, holder))
            .order_by(lock.c.FleetId)
            .with_for_update()
        )
        return {row.FleetId: row.Revision for row in rows if row.Fence == fences[row.FleetId]}

    async def _still_open(self, run: Run, fleets: Sequence[ClaimedFleet]) -> dict[str, int]:
        """The fleets of a dry run that have no execution, so that of two workers only the first writes theirs."""
        work = t.run_fleet
        rows = await self._connection.execute(
            select(work.c.FleetId)
            .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_([fleet.fleet_index_id for fleet in fleets]))
            .order_by(work.c.FleetIndexId)
            .with_for_update()
        )
        return dict.fromkeys(rows.scalars(), 0)

    async def release(self, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
        work = t.run_fleet
        done = delete(work).where(work.c.RunId == run.run_id, work.c.FleetId.in_(list(fleet_ids)))
        await self._connection.execute(done)
        if holder is not None and not run.dry_run:
            await self._connection.execute(_unlocked(holder, fleet_ids))


def _unlocked(holder: str, fleet_ids: Sequence[str]) -> Update:
    lock = t.fleet_lock
    return (
        update(lock)
        .where(lock.c.FleetId.in_(sorted(fleet_ids)), lock.c.Holder == holder)
        .values({**RELEASED, "LockTimestamp": None, "LockedBy": None, "Revision": lock.c.Revision + 1})
    )

"""Owns who works on which fleets of a run: claimed with their locks, held against all others, given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.ports import Claim, Claimed
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.relational import database_now

__all__ = ["claim", "release", "still_held"]

_BLOCKED_PAUSE = 0.5


async def claim(connection: AsyncConnection, run: Run, holder: str, limit: int, lease: float) -> Claim:
    """Takes open fleets of the run that nobody has, and their locks, for ``lease`` seconds of the database's clock.

    A fleet another holder has locked is tried again in a moment; once it has been held for a whole lease, refused.
    """
    work = t.run_fleet
    rows = (
        await connection.execute(
            select(work.c.FleetIndexId, work.c.FleetId, (work.c.BlockedSince < database_now(-lease)).label("overdue"))
            .where(work.c.RunId == run.run_id, or_(work.c.ClaimUntil.is_(None), work.c.ClaimUntil < database_now()))
            .order_by(work.c.FleetIndexId)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ).all()
    if not rows:
        open_ones = select(func.count()).select_from(work).where(work.c.RunId == run.run_id)
        return Claim(blocked=int((await connection.execute(open_ones)).scalar_one()))
    locks = await _lock(connection, [row.FleetId for row in rows], run.locked_by, holder, lease)
    mine = [row for row in rows if locks[row.FleetId].Holder == holder]
    refused = {row.FleetId: locks[row.FleetId].LockedBy or "Another run" for row in rows
               if locks[row.FleetId].Holder != holder and row.overdue}  # fmt: skip
    waiting = [row.FleetIndexId for row in rows if locks[row.FleetId].Holder != holder and row.FleetId not in refused]
    unclaimed = set(waiting)
    claimed = [row.FleetIndexId for row in rows if row.FleetIndexId not in unclaimed]
    await connection.execute(
        update(work)
        .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_(claimed))
        .values(ClaimUntil=database_now(lease))
    )
    if waiting:
        await connection.execute(
            update(work)
            .where(work.c.RunId == run.run_id, work.c.FleetIndexId.in_(waiting))
            .values(
                ClaimUntil=database_now(_BLOCKED_PAUSE),
                BlockedSince=case((work.c.BlockedSince.is_(None), database_now()), else_=work.c.BlockedSince),
            )
        )
    fleets = tuple(
        Claimed(row.FleetIndexId, row.FleetId, locks[row.FleetId].Fence, locks[row.FleetId].Revision) for row in mine
    )
    return Claim(fleets, refused, len(waiting))


async def _lock(
    connection: AsyncConnection, fleet_ids: Sequence[str], locked_by: str, holder: str, lease: float
) -> dict[str, Any]:
    lock = t.fleet_lock
    await connection.execute(
        update(lock)
        .where(
            lock.c.FleetId.in_(sorted(fleet_ids)),
            or_(lock.c.LeaseUntil.is_(None), lock.c.LeaseUntil < database_now()),
        )
        .values(
            LockTimestamp=database_now(),
            LockedBy=locked_by,
            Holder=holder,
            LeaseUntil=database_now(lease),
            Fence=lock.c.Fence + 1,
        )
    )
    asked = select(lock.c.FleetId, lock.c.Holder, lock.c.LockedBy, lock.c.Fence, lock.c.Revision)
    rows = (await connection.execute(asked.where(lock.c.FleetId.in_(list(fleet_ids))))).all()
    return {row.FleetId: row for row in rows}


async def still_held(connection: AsyncConnection, run: Run, holder: str, fleets: Sequence[Claimed]) -> dict[str, int]:
    """The fleets whose lease and fence hold at this instant of the database's clock, with their books' revision."""
    lock = t.fleet_lock
    status = (
        await connection.execute(
            select(t.hotw_run.c.RunStatus).where(t.hotw_run.c.RunId == run.run_id).with_for_update(read=True)
        )
    ).scalar_one()
    if status != RunStatus.RUNNING.value:
        await connection.execute(_unlocked(holder, [fleet.fleet_id for fleet in fleets]))
        return {}
    fences = {fleet.fleet_id: fleet.fence for fleet in fleets}
    rows = await connection.execute(
        select(lock.c.FleetId, lock.c.Fence, lock.c.Revision)
        .where(lock.c.FleetId.in_(sorted(fences)), lock.c.Holder == holder, lock.c.LeaseUntil > database_now())
        .order_by(lock.c.FleetId)
        .with_for_update()
    )
    return {row.FleetId: row.Revision for row in rows if row.Fence == fences[row.FleetId]}


async def release(connection: AsyncConnection, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
    """These fleets have their execution: their part in the run is over, their books have a new revision."""
    work = t.run_fleet
    await connection.execute(delete(work).where(work.c.RunId == run.run_id, work.c.FleetId.in_(list(fleet_ids))))
    if holder is not None:
        await connection.execute(_unlocked(holder, fleet_ids))


def _unlocked(holder: str, fleet_ids: Sequence[str]) -> Any:
    lock = t.fleet_lock
    return (
        update(lock)
        .where(lock.c.FleetId.in_(sorted(fleet_ids)), lock.c.Holder == holder)
        .values(LockTimestamp=None, LockedBy=None, Holder=None, LeaseUntil=None, Revision=lock.c.Revision + 1)
    )

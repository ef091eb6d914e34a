"""The rows of preferred ASGs: one for each fleet and event that somebody prefers ASGs for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.domain.inputs import PreferredAsgs
from shared.clock import iso


class Preferences:
    """The preferred ASGs of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, event_id: str, fleet_id: str, preferred: PreferredAsgs | None) -> dict[str, Any]:
        connection, table, lock = self._connection, t.preferred_asg, t.fleet_lock
        await connection.execute(select(lock.c.FleetId).where(lock.c.FleetId == fleet_id).with_for_update())
        event = (await index_ids(connection, t.event_index, [event_id]))[event_id]
        fleet = (await index_ids(connection, t.fleet_index, [fleet_id]))[fleet_id]
        before = (await preferred_asgs_of(connection, event, [fleet])).get(fleet)
        mine = (table.c.EventIndexId == event) & (table.c.FleetIndexId == fleet)
        if preferred is None:
            await connection.execute(delete(table).where(mine))
        elif before is not None and before.names == preferred.names:
            preferred = before
        else:
            values = {
                "ASGs": list(preferred.names),
                "UpdatedBy": preferred.updated_by,
                "UpdatedAt": preferred.updated_at,
            }
            if before is not None:
                await connection.execute(update(table).where(mine).values(values))
            else:
                await connection.execute(insert(table).values(EventIndexId=event, FleetIndexId=fleet, **values))
        return preference_view(event_id, fleet_id, preferred)


async def preferred_asgs_of(
    connection: AsyncConnection, event_index_id: int, fleets: Collection[int]
) -> dict[int, PreferredAsgs]:
    """By FleetIndexId, of the fleets that have preferred ASGs for the event; one statement."""
    table = t.preferred_asg
    rows = await connection.execute(
        select(table).where(table.c.FleetIndexId.in_(fleets), table.c.EventIndexId == event_index_id)
    )
    return {row.FleetIndexId: _preferred(row) for row in rows}


def preference_view(event_id: str, fleet_id: str, preferred: PreferredAsgs | None) -> dict[str, Any]:
    """A preference as it is read; None: nobody prefers any ASG."""
    return {
        "EventId": event_id,
        "FleetId": fleet_id,
        "ASGs": [] if preferred is None else list(preferred.names),
        "UpdatedBy": None if preferred is None else preferred.updated_by,
        "UpdatedAt": None if preferred is None else iso(preferred.updated_at),
    }


def _preferred(row: Row[Any]) -> PreferredAsgs:
    return PreferredAsgs(tuple(row.ASGs), updated_by=row.UpdatedBy, updated_at=row.UpdatedAt)

"""The slots of the schedule, by event: each is taken once, and has the run that it started."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import facts
from services.hotw_svc.adapters.inputs.read_models import EVENTS, state_of
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.domain.inputs import EventFacts


class Slots:
    """The slots of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def events_without(self, slot: datetime) -> list[EventFacts]:
        event, index, taken = EVENTS.table, t.event_index, t.run_slot
        rows = await self._connection.execute(
            select(event.c.State)
            .join(index, index.c.EventId == event.c.Key)
            .outerjoin(taken, and_(taken.c.EventIndexId == index.c.EventIndexId, taken.c.Slot == slot))
            .where(EVENTS.is_present, taken.c.Slot.is_(None))
        )
        return [facts.event_facts(state_of(row)) for row in rows]

    async def take(self, event_id: str, slot: datetime) -> bool:
        """Two that take it at once collide at its key; the second tries again, and then finds it taken."""
        table, number = t.run_slot, await self._number(event_id)
        found = select(table.c.Slot).where(table.c.EventIndexId == number, table.c.Slot == slot)
        if (await self._connection.execute(found)).first() is not None:
            return False
        await self._connection.execute(insert(table).values(EventIndexId=number, Slot=slot))
        return True

    async def started(self, event_id: str, slot: datetime, run_id: int) -> None:
        table = t.run_slot
        mine = and_(table.c.EventIndexId == await self._number(event_id), table.c.Slot == slot)
        await self._connection.execute(update(table).where(mine).values(RunId=run_id))

    async def _number(self, event_id: str) -> int:
        return (await index_ids(self._connection, t.event_index, [event_id]))[event_id]

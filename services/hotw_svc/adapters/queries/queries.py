"""Owns what people may read of HOTW: runs, executions, ASGs, orders and the dashboard; NotFound for what is unknown."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.queries import reading
from services.hotw_svc.adapters.runs import run_rows as runs
from shared.errors import NotFound
from shared.relational import Database

__all__ = ["Queries"]

Flat = dict[str, Any]


class Queries:
    """Each page is (items, where the next one begins)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, run_id: int) -> Flat:
        """A run with its progress."""
        async with self._database.read() as connection:
            found = await runs.read_run(connection, run_id)
        if found is None:
            raise NotFound(f"there is no run {run_id}")
        return found.wire()

    async def executions(
        self, event_id: str, fleet_id: str, *, before: int | None, limit: int
    ) -> tuple[list[Flat], int | None]:
        """A fleet's executions for an event, newest first."""
        async with self._database.read() as connection:
            await _known(connection, t.event_index, "event", event_id)
            await _known(connection, t.fleet_index, "fleet", fleet_id)
            items = await reading.executions_of_fleet(connection, event_id, fleet_id, before=before, limit=limit + 1)
        return items[:limit], items[limit - 1]["ExecutionId"] if len(items) > limit else None

    async def asgs(self, fleet_id: str, run_id: int | None = None) -> list[Flat]:
        """A fleet's ASGs as last seen, or as a run saw them."""
        async with self._database.read() as connection:
            await _known(connection, t.fleet_index, "fleet", fleet_id)
            if run_id is None:
                return await reading.asgs_of_fleet(connection, fleet_id)
            if await runs.read_run(connection, run_id, counted=False) is None:
                raise NotFound(f"there is no run {run_id}")
            return await reading.asgs_of_run(connection, fleet_id, run_id)

    async def dashboard(
        self,
        event_id: str,
        purpose: str,
        *,
        leader_alias: str | None,
        owner: str | None,
        after: str | None,
        limit: int,
    ) -> tuple[Flat, str | None]:
        """The HOTW dashboard of an event, a page of services."""
        async with self._database.read() as connection:
            await _known(connection, t.event_index, "event", event_id)
            services = await reading.dashboard(
                connection, event_id, purpose, leader_alias=leader_alias, owner=owner, after=after, limit=limit + 1
            )
        board = {"EventId": event_id, "Purpose": purpose, "Services": services[:limit]}
        return board, services[limit - 1]["ServiceId"] if len(services) > limit else None

    async def orders(
        self, *, event_id: str | None, fleet_id: str | None, status: str | None, after: str | None, limit: int
    ) -> tuple[list[Flat], str | None]:
        """Orders by FulfillmentId, filtered."""
        async with self._database.read() as connection:
            items = await reading.orders(
                connection, event_id=event_id, fleet_id=fleet_id, status=status, after=after, limit=limit + 1
            )
        return items[:limit], items[limit - 1]["FulfillmentId"] if len(items) > limit else None


async def _known(connection: AsyncConnection, index: Table, what: str, name: str) -> None:
    found = await connection.execute(select(index).where(list(index.columns)[1] == name))
    if found.first() is None:
        raise NotFound(f"there is no {what} {name}")

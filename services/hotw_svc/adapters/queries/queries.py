"""What people read of HOTW: runs, executions, ASGs, orders, the dashboard and the known inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.read_models import (
    EVENTS,
    FLEETS,
    INVENTORIES,
    PROJECTIONS,
    REGION,
    SERVICES,
    event_fleets,
    projection_key,
    state_of,
)
from services.hotw_svc.adapters.orders.dashboard_rows import TOTALS
from services.hotw_svc.adapters.queries.views import execution_views, view, with_ids
from services.hotw_svc.adapters.rows import Row, wire
from services.hotw_svc.adapters.runs.execution_rows import FACT_COLUMNS
from services.hotw_svc.adapters.runs.run_rows import Runs
from services.hotw_svc.app.fleet_status import fleet_status
from services.hotw_svc.app.ports import View
from services.hotw_svc.app.runs.run import run_view
from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.errors import NotFound
from shared.relational import Database, ReadModelTable
from shared.schemas.hotw_svc import FulfillmentStatus, Purpose

_LATEST: Final = tuple(name for name in FACT_COLUMNS.values() if name != "CapReason")  # of LatestExecution


@dataclass(frozen=True, slots=True)
class Page:
    """Resources as they are read, and where the next page begins (None after the last)."""

    items: list[Row]
    next_after: Any = None


class Queries:
    """The queries on one database. NotFound for an unknown run, event or fleet; one that was deleted is unknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, run_id: int) -> View:
        async with self._database.read() as connection:
            found = await Runs(connection).get(run_id)
        if found is None:
            raise NotFound(f"there is no run {run_id}")
        return View("RunId", run_view(found))

    async def executions(self, event_id: str, fleet_id: str, *, before: int | None, limit: int) -> Page:
        """A fleet's executions for an event, newest first; those older than ExecutionId ``before``."""
        table = t.hotw_execution
        query = (
            with_ids(table, service=True)
            .where(t.fleet_index.c.FleetId == fleet_id, t.event_index.c.EventId == event_id)
            .order_by(table.c.ExecutionId.desc())
            .limit(limit + 1)
        )
        if before is not None:
            query = query.where(table.c.ExecutionId < before)
        async with self._database.read() as connection:
            await _check_known(connection, t.event_index, "event", event_id)
            await _check_known(connection, t.fleet_index, "fleet", fleet_id)
            rows = (await connection.execute(query)).mappings().all()
            items = await execution_views(connection, rows)
        return _page(items, limit, "ExecutionId")

    async def asgs(self, fleet_id: str, run_id: int | None = None) -> Page:
        """A fleet's ASGs as the latest execution saw them, or as a run did."""
        table = t.asg_details if run_id is None else t.asg_details_run
        query = with_ids(table).where(t.fleet_index.c.FleetId == fleet_id).order_by(table.c.AutoScalingGroupName)
        async with self._database.read() as connection:
            await _check_known(connection, t.fleet_index, "fleet", fleet_id)
            if run_id is not None:
                if await Runs(connection).get(run_id, counted=False) is None:
                    raise NotFound(f"there is no run {run_id}")
                query = query.where(table.c.RunId == run_id)
            return Page([view(row) for row in (await connection.execute(query)).mappings()])

    async def orders(
        self,
        *,
        event_id: str | None,
        fleet_id: str | None,
        status: FulfillmentStatus | None,
        after: str | None,
        limit: int,
    ) -> Page:
        """Orders by FulfillmentId."""
        table = t.fulfillment_details
        query = with_ids(table).order_by(table.c.FulfillmentId).where(table.c.FulfillmentId > (after or ""))
        for given, column in (
            (event_id, t.event_index.c.EventId),
            (fleet_id, t.fleet_index.c.FleetId),
            (status, table.c.FulfillmentStatus),
        ):
            if given is not None:
                query = query.where(column == given)
        async with self._database.read() as connection:
            items = [view(row) for row in (await connection.execute(query.limit(limit + 1))).mappings()]
        return _page(items, limit, "FulfillmentId")

    async def dashboard(
        self,
        event_id: str,
        purpose: Purpose,
        *,
        leader_alias: str | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> Page:
        """The event's services with their fleets, by ServiceId."""
        board, index, service = t.hotw_dashboard, t.service_index, SERVICES.table
        with_lines = (
            select(board.c.ServiceIndexId)
            .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
            .where(t.event_index.c.EventId == event_id, board.c.Purpose == purpose.value)
        )
        query = (
            select(index.c.ServiceIndexId, index.c.ServiceId, service.c.Owner, service.c.LeaderAlias)
            .outerjoin(service, service.c.Key == index.c.ServiceId)
            .where(index.c.ServiceIndexId.in_(with_lines))
            .order_by(index.c.ServiceId)
            .limit(limit + 1)
        )
        if leader_alias is not None:
            query = query.where(service.c.LeaderAlias == leader_alias)
        if owner is not None:
            query = query.where(service.c.Owner == owner)
        async with self._database.read() as connection:
            await _check_known(connection, t.event_index, "event", event_id)
            rows = (await connection.execute(query.where(index.c.ServiceId > (after or "")))).all()
            shown = [row.ServiceIndexId for row in rows[:limit]]
            fleets = await _fleets_by_service(connection, event_id, purpose, shown)
        services = [
            {
                "ServiceId": row.ServiceId,
                "Owner": row.Owner,
                "LeaderAlias": row.LeaderAlias,
                "Fleets": fleets.get(row.ServiceIndexId, []),
            }
            for row in rows
        ]
        return _page(services, limit, "ServiceId")

    async def known_inputs(self, event_id: str, fleet_id: str) -> dict[str, Any]:
        """Each input of a fleet for an event with its version, null where HOTW has none."""
        async with self._database.read() as connection:
            event = await _one(connection, EVENTS, event_id)
            line = await _one(connection, FLEETS, f"{fleet_id}#{event_id}")
            fleet = line or await _one(connection, FLEETS, fleet_id)
            service = await _one(connection, SERVICES, fleet.ServiceId) if fleet else None
            projection = await _one(connection, PROJECTIONS, projection_key(fleet_id, event_id))
            inventory = await _one(connection, INVENTORIES, fleet_id)
        if fleet is None and event is None:
            raise NotFound(f"HOTW knows neither fleet {fleet_id} nor event {event_id}")
        hosts = inventory and {name: state_of(inventory)[name] for name in ("AsOf", "HostsPresent")}
        return {
            "EventId": event_id,
            "FleetId": fleet_id,
            "Event": _version(event),
            "Service": _version(service),
            "Fleet": fleet and {"VersionId": fleet.VersionId, "Line": "event" if line else "base"},
            "Projection": _version(projection),
            "Inventory": hosts,
        }

    async def known_fleets(self, event_id: str) -> dict[str, Any]:
        """How many fleets of the event HOTW knows, and of how many the projection and the inventory."""
        projection, inventory = PROJECTIONS.table, INVENTORIES.table
        async with self._database.read() as connection:
            event = await _one(connection, EVENTS, event_id)
            if event is None:
                raise NotFound(f"HOTW does not know event {event_id}")
            fleet = event_fleets(state_of(event)["RegionList"]).subquery()
            key = fleet.c.FleetId + projection_key("", event_id)
            counted = await connection.execute(
                select(
                    func.count().label("Fleets"),
                    func.count(fleet.c.ServiceId.distinct()).label("Services"),
                    func.count(projection.c.Key).label("Projections"),
                    func.count(inventory.c.Key).label("Inventories"),
                )
                .select_from(fleet)
                .outerjoin(projection, (projection.c.Key == key) & PROJECTIONS.is_present)
                .outerjoin(inventory, inventory.c.Key == fleet.c.FleetId)
            )
        return {"EventId": event_id, **dict(counted.mappings().one())}


async def _fleets_by_service(
    connection: AsyncConnection, event_id: str, purpose: Purpose, services: list[int]
) -> dict[int, list[Row]]:
    """The dashboard lines of the services, by FleetId, each with the fleet's latest execution."""
    if not services:
        return {}
    board, execution, fleet = t.hotw_dashboard, t.hotw_execution, FLEETS.table
    rows = await connection.execute(
        select(
            board,
            t.fleet_index.c.FleetId,
            fleet.c[REGION].label("Region"),
            *(execution.c[name].label(f"Its{name}") for name in _LATEST),
        )
        .join(t.event_index, t.event_index.c.EventIndexId == board.c.EventIndexId)
        .join(t.fleet_index, t.fleet_index.c.FleetIndexId == board.c.FleetIndexId)
        .outerjoin(fleet, fleet.c.Key == t.fleet_index.c.FleetId)
        .outerjoin(execution, execution.c.ExecutionId == board.c.LatestExecutionId)
        .where(
            t.event_index.c.EventId == event_id, board.c.Purpose == purpose.value, board.c.ServiceIndexId.in_(services)
        )
        .order_by(t.fleet_index.c.FleetId)
    )
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.ServiceIndexId, []).append(_line(row))
    return found


def _line(row: Any) -> Row:
    latest = wire({name: getattr(row, f"Its{name}") for name in _LATEST})
    totals = OrderTotals(**{name: getattr(row, column) for column, name in TOTALS.items()})
    reasoning, pending_on = fleet_status(totals, latest["Status"], latest["Reasoning"])
    return {
        "FleetId": row.FleetId,
        "Region": row.Region,
        "CapacityOverrideSum": totals.live_hosts,
        "OrderedHosts": totals.live_hosts,
        "ApprovedHosts": totals.approved_hosts,
        "FulfilledHosts": totals.fulfilled_hosts,
        "Gap": row.Gap,
        "StatusReasoning": reasoning,
        "ActionPendingOn": pending_on,
        "LatestExecution": None if latest["ExecutionId"] is None else latest,
    }


def _page(items: list[Row], limit: int, key: str) -> Page:
    """``items`` may hold one more than ``limit``: then there is a next page."""
    return Page(items[:limit], items[limit - 1][key] if len(items) > limit else None)


async def _check_known(connection: AsyncConnection, index: Table, what: str, name: str) -> None:
    found = await connection.execute(select(index).where(index.columns[1] == name))
    if found.first() is None:
        raise NotFound(f"there is no {what} {name}")


async def _one(connection: AsyncConnection, read_model: ReadModelTable, key: str) -> Any:
    row = (await read_model.rows(connection, [key])).get(key)
    return None if row is None or row.Deleted else row


def _version(row: Any) -> dict[str, Any] | None:
    return row and {"VersionId": row.VersionId}

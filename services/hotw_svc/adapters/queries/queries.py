"""What people read of HOTW: runs, executions, ASGs, orders, the dashboard and the known inputs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.preferred_asgs import preference_view, preferred_asgs_of
from services.hotw_svc.adapters.inputs.read_models import (
    BAU_TRAFFIC,
    CUSTOM_FORMULAS,
    EVENTS,
    EXCEPTIONS,
    FLEETS,
    INVENTORIES,
    PHILOSOPHIES,
    PROJECTIONS,
    SERVICES,
    custom_inputs,
    event_fleets,
    exception_key,
    projection_key,
    state_of,
)
from services.hotw_svc.adapters.inputs.read_models import event as read_event
from services.hotw_svc.adapters.orders.order_reviews import OrderReviews
from services.hotw_svc.adapters.queries.dashboard import dashboard_services
from services.hotw_svc.adapters.queries.gaps import daily_series, open_gaps
from services.hotw_svc.adapters.queries.overrides import OverridePlace, override_rows
from services.hotw_svc.adapters.queries.views import execution_views, view, with_ids
from services.hotw_svc.adapters.rows import Row
from services.hotw_svc.adapters.runs.run_rows import Runs
from services.hotw_svc.app.orders.order_review import SHOWN, review_view, skipped_view
from services.hotw_svc.app.ports import View
from services.hotw_svc.app.runs.run import run_view
from services.hotw_svc.domain.orders.override import OverrideStatus
from services.hotw_svc.domain.runs.progress import RECENT
from shared.errors import NotFound
from shared.relational import Database, ReadModelTable
from shared.schemas.hotw_svc import FulfillmentStatus, Purpose, RunStatus

_INDEXES: Final = {
    "FleetId": ("fleet", t.fleet_index),
    "ServiceId": ("service", t.service_index),
    "EventId": ("event", t.event_index),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Resources as they are read, and where the next page begins (None after the last)."""

    items: list[Row]
    next_after: Any = None


class Queries:
    """The queries on one database. NotFound for an unknown run, event or fleet; one that was deleted is unknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, run_id: int, now: datetime) -> View:
        async with self._database.read() as connection:
            found = await Runs(connection).get(run_id, since=now - RECENT)
        if found is None:
            raise NotFound(f"there is no run {run_id}")
        return View("RunId", run_view(found, now))

    async def runs(
        self, *, event_id: str | None, status: RunStatus | None, before: int | None, limit: int, now: datetime
    ) -> Page:
        """Runs, newest first; those older than RunId ``before``."""
        async with self._database.read() as connection:
            found = await Runs(connection).newest(
                event_id=event_id, status=status, before=before, limit=limit + 1, since=now - RECENT
            )
        return _page([run_view(run, now) for run in found], limit, "RunId")

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

    async def overrides(
        self,
        *,
        event_id: str | None,
        fleet_id: str | None,
        status: OverrideStatus | None,
        after: OverridePlace | None,
        limit: int,
    ) -> Page:
        """Overrides by event, run, fleet and ASG."""
        async with self._database.read() as connection:
            items, more = await override_rows(
                connection, event_id=event_id, fleet_id=fleet_id, status=status, after=after, limit=limit
            )
        return Page(items, more)

    async def order_review(self, review_id: int) -> View:
        """A review of many orders, with the first of those that were skipped."""
        async with self._database.read() as connection:
            reviews = OrderReviews(connection)
            review = await reviews.get(review_id)
            return View("ReviewId", review_view(review, await reviews.skipped(review_id, limit=SHOWN)))

    async def skipped_orders(self, review_id: int, *, after: str | None, limit: int) -> Page:
        """By FulfillmentId."""
        async with self._database.read() as connection:
            reviews = OrderReviews(connection)
            await reviews.get(review_id)
            found = await reviews.skipped(review_id, after=after or "", limit=limit + 1)
        return _page([skipped_view(one) for one in found], limit, "FulfillmentId")

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
        async with self._database.read() as connection:
            event = await _one(connection, EVENTS, event_id)
            if event is None:
                raise NotFound(f"there is no event {event_id}")
            services = await dashboard_services(
                connection,
                event_id,
                purpose,
                regions=state_of(event)["RegionList"],
                leader_alias=leader_alias,
                owner=owner,
                after=after,
                limit=limit + 1,
            )
        return _page(services, limit, "ServiceId")

    async def known_inputs(self, event_id: str, fleet_id: str) -> dict[str, Any]:
        """Each input of a fleet for an event with its version, null where HOTW has none."""
        async with self._database.read() as connection:
            event = await _one(connection, EVENTS, event_id)
            line = await _one(connection, FLEETS, f"{fleet_id}#{event_id}")
            fleet = line or await _one(connection, FLEETS, fleet_id)
            service = await _one(connection, SERVICES, fleet.ServiceId) if fleet else None
            philosophy = await _one(connection, PHILOSOPHIES, fleet.ServiceId) if fleet else None
            exception = await _one(connection, EXCEPTIONS, exception_key(fleet_id, event_id))
            projection = await _one(connection, PROJECTIONS, projection_key(fleet_id, event_id))
            inventory = await _one(connection, INVENTORIES, fleet_id)
            bau_traffic = await _one(connection, BAU_TRAFFIC, fleet_id)
            formula = await _one(connection, CUSTOM_FORMULAS, fleet.ServiceId) if fleet else None
            custom = (await custom_inputs(connection, event_id, [fleet_id])).get(fleet_id, ())
        if fleet is None and event is None:
            raise NotFound(f"HOTW knows neither fleet {fleet_id} nor event {event_id}")
        hosts = inventory and {name: state_of(inventory)[name] for name in ("AsOf", "HostsPresent")}
        return {
            "EventId": event_id,
            "FleetId": fleet_id,
            "Event": _version(event),
            "Service": _version(service),
            "Philosophy": _version(philosophy),
            "Fleet": fleet and {"VersionId": fleet.VersionId, "Line": "event" if line else "base"},
            "Exception": _version(exception),
            "Projection": _version(projection),
            "Inventory": hosts,
            "BAUTPM": _version(bau_traffic),
            "CustomFormula": _version(formula),
            "CustomInputs": [
                {"CustomInputId": one.custom_input_id, "VersionId": one.version_id}
                for one in sorted(custom, key=lambda one: one.custom_input_id)
            ],
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

    async def preferred_asgs(self, event_id: str, fleet_id: str) -> dict[str, Any]:
        """A fleet's preferred ASGs for an event; none where nobody prefers any."""
        async with self._database.read() as connection:
            event = await _check_known(connection, t.event_index, "event", event_id)
            fleet = await _check_known(connection, t.fleet_index, "fleet", fleet_id)
            found = await preferred_asgs_of(connection, event, [fleet])
        return preference_view(event_id, fleet_id, found.get(fleet))

    async def gaps(self, event_id: str, *, after: str | None, limit: int) -> Page:
        """The event's open gaps, by FleetId."""
        async with self._database.read() as connection:
            if await _one(connection, EVENTS, event_id) is None:
                raise NotFound(f"HOTW does not know event {event_id}")
            items = await open_gaps(connection, event_id, after=after, limit=limit + 1)
        return _page(items, limit, "FleetId")

    async def series(self, event_id: str, fleet_id: str, now: datetime) -> Page:
        """A fleet's numbers for the event at the end of each day until now; none before its first execution."""
        async with self._database.read() as connection:
            event = await read_event(connection, event_id, deleted_too=False)
            if event is None:
                raise NotFound(f"HOTW does not know event {event_id}")
            fleet = await _check_known(connection, t.fleet_index, "fleet", fleet_id)
            return Page(await daily_series(connection, event, fleet, fleet_id, now))

    async def index(self, member: str, value: str) -> dict[str, Any]:
        """A FleetId, ServiceId or EventId with the number that stands for it; those of deleted resources stay."""
        what, index = _INDEXES[member]
        async with self._database.read() as connection:
            number = await _check_known(connection, index, what, value)
        return {member: value, str(index.columns[0].name): number}


def _page(items: list[Row], limit: int, key: str) -> Page:
    """``items`` may hold one more than ``limit``: then there is a next page."""
    return Page(items[:limit], items[limit - 1][key] if len(items) > limit else None)


async def _check_known(connection: AsyncConnection, index: Table, what: str, name: str) -> int:
    """The number that stands for the name; NotFound where it has none."""
    number: int | None = await connection.scalar(select(index.columns[0]).where(index.columns[1] == name))
    if number is None:
        raise NotFound(f"there is no {what} {name}")
    return number


async def _one(connection: AsyncConnection, read_model: ReadModelTable, key: str) -> Any:
    row = (await read_model.rows(connection, [key])).get(key)
    return None if row is None or row.Deleted else row


def _version(row: Any) -> dict[str, Any] | None:
    return row and {"VersionId": row.VersionId}

"""The rows of an outside engine's executions and sums, and the order books that they open (7.0.27 to 7.0.49)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.external.recorded_asgs import put_asgs, put_asgs_of_run
from services.hotw_svc.adapters.inputs import read_models
from services.hotw_svc.adapters.inputs.facts import fleet_facts
from services.hotw_svc.adapters.inputs.read_models import FLEETS, state_of
from services.hotw_svc.adapters.orders import order_rows
from services.hotw_svc.adapters.orders.dashboard_rows import BookNumbers, dashboard_row
from services.hotw_svc.adapters.queries.views import with_ids
from services.hotw_svc.adapters.rows import Row, index_ids
from services.hotw_svc.adapters.runs.execution_rows import execution_fact, half_up
from services.hotw_svc.app.external.rows import FoundExecution, NewExecution
from services.hotw_svc.domain.external.recorded_execution import Recording
from services.hotw_svc.domain.external.recorded_overrides import RecordedOverride
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey, SettledUnder
from shared.relational import insert_rows
from shared.schemas.hotw_external import RecordDashboard, RecordExecution
from shared.schemas.hotw_svc import Engine, ExecutionFact


class RecordedRows:
    """What an outside engine reports, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, fleet_id: str) -> None:
        lock = t.fleet_lock
        await self._connection.execute(select(lock.c.FleetId).where(lock.c.FleetId == fleet_id).with_for_update())

    async def service_of(self, fleet_id: str) -> str | None:
        row = (await FLEETS.rows(self._connection, [fleet_id])).get(fleet_id)
        return None if row is None or row.Deleted else str(row.ServiceId)

    async def fleet(self, fleet_id: str, event_id: str) -> FleetFacts:
        lines = await read_models.fleet_lines(self._connection, [fleet_id], event_id)
        base, line = lines[fleet_id]
        return fleet_facts(base=state_of(base), event_line=state_of(line))

    async def execution(self, run_id: int, fleet_id: str) -> FoundExecution | None:
        table = t.hotw_execution
        query = with_ids(table, service=True).where(table.c.RunId == run_id, t.fleet_index.c.FleetId == fleet_id)
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        names = ("ExecutionId", "RunId", "EventId", "FleetId", "ServiceId", "Status")
        return FoundExecution({name: row[name] for name in names}, row["RecordedDigest"])

    async def orders_elsewhere(self, fulfillment_ids: Sequence[str], key: OrderBookKey) -> dict[str, str]:
        order = t.fulfillment_details
        rows = await self._connection.execute(with_ids(order).where(order.c.FulfillmentId.in_(fulfillment_ids)))
        return {
            row.FulfillmentId: f"{row.FleetId} for {row.EventId}, {row.Purpose}"
            for row in rows
            if (row.FleetId, row.EventId, row.Purpose) != (key.fleet_id, key.event_id, key.purpose)
        }

    async def open_book(self, key: OrderBookKey, event: EventFacts, fleet: FleetFacts) -> None:
        board, numbers = t.hotw_dashboard, await self._numbers(key.event_id, fleet)
        mine = and_(
            board.c.EventIndexId == numbers.event,
            board.c.FleetIndexId == numbers.fleet,
            board.c.Purpose == key.purpose.value,
        )
        if (await self._connection.execute(select(board.c.FleetIndexId).where(mine))).first() is None:
            empty = OrderBook(
                key=key,
                service_id=fleet.service_id,
                event=event,
                fleet=fleet,
                service=None,
                orders=(),
                overrides=(),
                version_id=0,
                settled_under=SettledUnder(event.version_id),
            )
            await self._connection.execute(insert(board).values(dashboard_row(empty, numbers)))

    async def add_execution(self, new: NewExecution, fleet: FleetFacts) -> ExecutionFact:
        numbers = await self._numbers(new.command.event_id, fleet)
        row = _execution_columns(new, fleet) | {
            "EventIndexId": numbers.event,
            "FleetIndexId": numbers.fleet,
            "ServiceIndexId": numbers.service,
        }
        inserted = await self._connection.execute(insert(t.hotw_execution).values(row))
        return execution_fact({"CapReason": None, **row, "ExecutionId": int(inserted.lastrowid)})

    async def add_details(self, command: RecordExecution, fleet: FleetFacts, made: Recording) -> None:
        connection, numbers = self._connection, await self._numbers(command.event_id, fleet)
        fleets = {fleet.fleet_id: numbers.fleet}
        await order_rows.add_orders(connection, made.new_orders, fleets, numbers.event)
        rows = [_override_columns(item) for item in made.new_overrides]
        ids = {"FleetIndexId": numbers.fleet, "EventIndexId": numbers.event}
        await insert_rows(connection, t.capacity_override_details, [row | ids for row in rows])
        asgs = await put_asgs(connection, numbers.fleet, fleet, command.asg_details)
        ordered: dict[str, int] = {}
        for detail in command.fulfillment_details:
            name = detail.auto_scaling_group_name
            ordered[name] = ordered.get(name, 0) + detail.fulfillment_value
        await put_asgs_of_run(connection, command.run_id, asgs, command.asg_details, ordered)

    async def put_dashboard(self, command: RecordDashboard, fleet: FleetFacts, *, by: str, at: datetime) -> None:
        connection, table = self._connection, t.reported_sum
        numbers = await self._numbers(command.event_id, fleet)
        key = {"EventIndexId": numbers.event, "FleetIndexId": numbers.fleet, "Purpose": command.purpose.value}
        await connection.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
        values = {"ReportedSum": command.capacity_override_sum, "ReportedBy": by, "ReportedAt": at}
        await connection.execute(insert(table).values(key | values))
        await put_asgs(connection, numbers.fleet, fleet, command.asg_details)

    async def _numbers(self, event_id: str, fleet: FleetFacts) -> BookNumbers:
        connection = self._connection
        return BookNumbers(
            event=(await index_ids(connection, t.event_index, [event_id]))[event_id],
            fleet=(await index_ids(connection, t.fleet_index, [fleet.fleet_id]))[fleet.fleet_id],
            service=(await index_ids(connection, t.service_index, [fleet.service_id]))[fleet.service_id],
        )


def _execution_columns(new: NewExecution, fleet: FleetFacts) -> Row:
    """A row of hotw_execution but for its index ids; what the engine does not say of its own working is null."""
    command, numbers = new.command, new.numbers
    given = command.hotw_execution_details
    homogeneous = fleet.homogeneous if given.homogeneous is None else given.homogeneous
    return {
        "RunId": command.run_id,
        "PeakTPM": given.peak_tpm,
        "BAUTPM": given.bau_tpm,
        "CTPeakFactor": given.ct_peak_factor and half_up(Fraction(given.ct_peak_factor)),
        "BufferFactor": given.buffer_factor and half_up(Fraction(given.buffer_factor)),
        "HostThroughPutTPM": given.host_through_put_tpm,
        "RequiredHosts": given.required_hosts,
        "HostsPresentInApollo": given.hosts_present_in_apollo,
        "CapacityOverrideSum": given.capacity_override_sum,
        "PendingEPICFMCHostOrder": given.pending_epicfmc_host_order,
        "PreferredHostType": given.preferred_host_type or fleet.host_type,
        "Homogeneous": homogeneous,
        "Status": command.status.value,
        "Reasoning": command.reasoning,
        "FleetVersionId": given.fleet_version_id or fleet.version_id,
        "DesiredCapacity": numbers.desired_capacity,
        "ChildDesiredCapacity": numbers.child_desired_capacity,
        "HostDistribution": dict(numbers.host_distribution),
        "User": given.user or new.user,
        "CreatedAt": new.created_at,
        "Purpose": new.purpose.value,
        "OrderType": new.order_type.value,
        "Needed": given.needed,
        "CapReason": given.cap_reason,
        "OrderedHosts": numbers.ordered_hosts,
        "Shortfall": numbers.shortfall,
        "FleetLine": fleet.line.value,
        "FailCode": given.fail_code,
        "DryRun": False,
        "Engine": Engine.EXTERNAL.value,
        "RecordedDigest": new.digest,
    }


def _override_columns(recorded: RecordedOverride) -> Row:
    return order_rows.override_columns(recorded.override) | {
        "CapacityOverrideName": recorded.name,
        "OverrideTag": recorded.tag,
        "PlaceOrderIfRequired": recorded.place_order_if_required,
    }

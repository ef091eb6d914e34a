"""The rows of executions, many in one transaction, with all that follows from them (HOTW rule 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.kept_inputs import KeptTexts, store_texts
from services.hotw_svc.adapters.orders import gap_rows, order_rows
from services.hotw_svc.adapters.orders.dashboard_rows import BookNumbers, dashboard_row, put_dashboards
from services.hotw_svc.adapters.providers.provider_group_rows import mark_groups
from services.hotw_svc.adapters.queries.views import execution_views, with_ids
from services.hotw_svc.adapters.rows import Row, index_ids, replace_rows
from services.hotw_svc.app.ports import PlacedExecution, View
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.domain.arithmetic import countable
from services.hotw_svc.domain.custom_inputs import WIRE_NAMES, JoinedInputs
from services.hotw_svc.domain.orders.gap import NO_GAP, Gap, gap_after
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey, SettledUnder, gap_facts
from services.hotw_svc.domain.runs.execution import AsgOutcome, Execution
from services.hotw_svc.domain.runs.execution_facts import execution_facts
from shared.clock import iso
from shared.relational import insert_rows
from shared.schemas.hotw_svc import ExecutionFact, ExecutionStatus, OrderType, Purpose

FACT_COLUMNS: Final = {name: str(field.alias) for name, field in ExecutionFact.model_fields.items()}
_MAX_HUNDREDTHS: Final = 99_999  # what DECIMAL(5,2) holds


class _BookState(NamedTuple):
    """A book beside an execution: the number of its last fact, what it was last settled under, when it is due, its gap.

    An execution settles no book.
    """

    version_id: int
    settled_under: SettledUnder
    due_at: datetime | None = None
    gap: Gap = NO_GAP


class Executions:
    """The executions of one transaction."""

    def __init__(self, connection: AsyncConnection, *, queue_groups: bool = False) -> None:
        self._connection = connection
        self._queue_groups = queue_groups

    async def get(self, run_id: int, fleet_id: str) -> View | None:
        table = t.hotw_execution
        query = with_ids(table, service=True).where(table.c.RunId == run_id, t.fleet_index.c.FleetId == fleet_id)
        rows = (await self._connection.execute(query)).mappings().all()
        views = await execution_views(self._connection, rows)
        return View("ExecutionId", views[0]) if views else None

    async def write(self, run: Run, executions: Sequence[Execution]) -> list[PlacedExecution]:
        """Few statements, however many executions. Their fleets' lock rows are held, unless none of them counts."""
        if not executions:
            return []
        connection, event = self._connection, run.event_index_id
        services = await index_ids(connection, t.service_index, {e.inputs.fleet.service_id for e in executions})
        of_run = {"EventIndexId": event, "DryRun": run.dry_run, "Engine": run.engine}
        rows = [execution_columns(execution) | of_run for execution in executions]
        kept = KeptTexts()
        for execution, row in zip(executions, rows, strict=True):
            row["ServiceIndexId"] = services[execution.inputs.fleet.service_id]
            row["InputsHash"] = kept.keep(execution.inputs) if execution.computed else None
        await insert_rows(connection, t.hotw_execution, rows)
        await store_texts(connection, kept.texts)
        if run.dry_run:
            await self._write_asgs(executions, dry_run=True)
            return []
        counting = [execution for execution in executions if execution.counts]
        if not counting:
            return []
        fleets = {e.inputs.fleet.fleet_id: e.inputs.fleet_index_id for e in counting}
        ids = await self._execution_ids(run.run_id, fleets.values())
        before = await self._books_before(run, fleets.values())
        await self._write_asgs(counting)
        placed: list[PlacedExecution] = []
        dashboards: list[Row] = []
        new_orders: list[Order] = []
        made_up_orders: list[Order] = []
        gaps: list[Row] = []
        for execution, row in zip(executions, rows, strict=True):
            if not execution.counts:
                continue
            fleet = execution.inputs.fleet_index_id
            latest = execution_fact(row | {"ExecutionId": ids[fleet]})
            known = before.get(fleet) or _BookState(0, SettledUnder(execution.inputs.event.version_id))
            gap = gap_after(known.gap, latest, execution.created_at)
            changes = gap_facts(known.gap, gap)
            version = known.version_id + len(execution_facts(execution)) + len(changes)
            own = tuple(
                replace(order, execution_id=ids[fleet], orders_version_id=version) for order in execution.orders
            )
            made_up = tuple(replace(order, orders_version_id=version) for order in execution.superseded_orders)
            book = _book(run, execution, own, made_up, latest, known._replace(version_id=version, gap=gap))
            numbers = BookNumbers(event, fleet, row["ServiceIndexId"])
            dashboards.append(dashboard_row(book, numbers, was_due=known.due_at))
            placed.append(PlacedExecution(execution, book, changes))
            if changes:
                gaps.append(gap_rows.gap_change(book, event, fleet, execution.created_at))
            new_orders += own
            made_up_orders += made_up
        changed = [override for e in counting for override in (*e.superseded_overrides, *e.revalued_overrides)]
        new_overrides = [override for e in counting for override in e.overrides]
        await order_rows.add_orders(connection, new_orders, fleets, event)
        await order_rows.change_orders(connection, made_up_orders)
        await order_rows.change_overrides(connection, changed, fleets)
        await order_rows.add_overrides(connection, new_overrides, fleets, event)
        if self._queue_groups:
            await mark_groups(connection, (*changed, *new_overrides), fleets)
        await put_dashboards(connection, dashboards)
        await insert_rows(connection, t.gap_change, gaps)
        return placed

    async def _execution_ids(self, run_id: int, fleets: Iterable[int]) -> dict[int, int]:
        table = t.hotw_execution
        rows = await self._connection.execute(
            select(table.c.FleetIndexId, table.c.ExecutionId).where(
                table.c.RunId == run_id, table.c.FleetIndexId.in_(fleets)
            )
        )
        return dict(rows.all())

    async def _books_before(self, run: Run, fleets: Iterable[int]) -> dict[int, _BookState]:
        """By fleet that has a book: what an execution leaves as it is, also one under a newer version of the event."""
        table = t.hotw_dashboard
        names = ("FleetIndexId", "OrdersVersionId", "EventVersionId", "Withdrawn", "DueAt", "Gap", "GapSince")
        rows = await self._connection.execute(
            select(*(table.c[name] for name in names)).where(
                table.c.EventIndexId == run.event_index_id,
                table.c.Purpose == run.purpose.value,
                table.c.FleetIndexId.in_(fleets),
            )
        )
        return {
            row.FleetIndexId: _BookState(
                row.OrdersVersionId,
                SettledUnder(row.EventVersionId, row.Withdrawn),
                row.DueAt,
                Gap(row.Gap, row.GapSince),
            )
            for row in rows
        }

    async def _write_asgs(self, executions: Sequence[Execution], *, dry_run: bool = False) -> None:
        """The ASGs as the run saw them, which are also the latest unless it is a ``dry_run``."""
        latest: list[Row] = []
        of_run: list[Row] = []
        for execution in executions:
            run_id = execution.inputs.run.run_id
            for outcome in execution.asgs:
                row = asg_columns(outcome, execution)
                latest.append(row)
                of_run.append(row | {"RunId": run_id, "RecommendedOverrideValue": outcome.recommended})
        fleets = [execution.inputs.fleet_index_id for execution in executions if execution.asgs]
        await insert_rows(self._connection, t.asg_details_run, of_run)
        if dry_run:
            return
        await replace_rows(self._connection, t.asg_details, t.asg_details.c.FleetIndexId.in_(fleets), latest)


async def latest_executions(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, ExecutionFact]:
    """Executions by their ExecutionId."""
    if not ids:
        return {}
    columns = (t.hotw_execution.c[column] for column in ("Purpose", *FACT_COLUMNS.values()))
    rows = await connection.execute(select(*columns).where(t.hotw_execution.c.ExecutionId.in_(ids)))
    return {row["ExecutionId"]: execution_fact(row) for row in rows.mappings()}


def execution_fact(row: Mapping[Any, Any]) -> ExecutionFact:
    """What facts say of an execution, by its row. HOTW wrote the row, so it is not validated again."""
    members = {name: row[column] for name, column in FACT_COLUMNS.items()}
    types: Row = {"order_type": OrderType(row["OrderType"]), "status": ExecutionStatus(row["Status"])}
    if row["Purpose"] != Purpose.DESCALING:
        types["bau_tpm"] = None
    return ExecutionFact.model_construct(**members | types)


def _book(
    run: Run,
    execution: Execution,
    own: tuple[Order, ...],
    made_up: tuple[Order, ...],
    latest: ExecutionFact,
    now: _BookState,
) -> OrderBook:
    """The fleet's order book after the execution, which leaves it as ``now`` says."""
    inputs, descaling = execution.inputs, run.purpose is Purpose.DESCALING
    orders, overrides = ((), inputs.descales) if descaling else (inputs.event_orders, inputs.overrides)
    superseded = {order.fulfillment_id: order for order in made_up}
    changed = (*execution.superseded_overrides, *execution.revalued_overrides)
    after = {(o.run_id, o.asg_name): o for o in changed}
    return OrderBook(
        key=OrderBookKey(run.event_id, inputs.fleet.fleet_id, run.purpose),
        service_id=inputs.fleet.service_id,
        event=inputs.event,
        fleet=inputs.fleet,
        service=inputs.service,
        orders=(*(superseded.get(order.fulfillment_id, order) for order in orders), *own),
        overrides=(*(after.get((o.run_id, o.asg_name), o) for o in overrides), *execution.overrides),
        version_id=now.version_id,
        settled_under=now.settled_under,
        latest=latest,
        gap=now.gap,
    )


def execution_columns(execution: Execution) -> Row:
    """What an execution gives its row in hotw_execution; a number too large for its column is None."""
    inputs, fleet, there = execution.inputs, execution.inputs.fleet, execution.presence
    return {
        "RunId": inputs.run.run_id,
        "FleetIndexId": inputs.fleet_index_id,
        "PeakTPM": None if execution.peak is None else execution.peak.value,
        "BAUTPM": inputs.bau_tpm,
        "CTPeakFactor": _factor(inputs.ct_factor),
        "BufferFactor": _factor(execution.buffer_factor),
        "HostThroughPutTPM": inputs.host_throughput_tpm,
        "RequiredHosts": execution.required_hosts,
        "HostsPresentInApollo": None if there is None else countable(there.hosts),
        "CapacityOverrideSum": execution.need,
        "PendingEPICFMCHostOrder": countable(execution.pending),
        "PreferredHostType": fleet.host_type,
        "Homogeneous": fleet.homogeneous,
        "Status": execution.status.value,
        "Reasoning": execution.reasoning,
        "FleetVersionId": fleet.version_id,
        "DesiredCapacity": countable(execution.capacity_after),
        "ChildDesiredCapacity": countable(fleet.child_desired_capacity),
        "HostDistribution": dict(execution.host_distribution),
        "User": inputs.run.user,
        "CreatedAt": execution.created_at,
        "Purpose": inputs.run.purpose.value,
        "OrderType": inputs.run.order_type.value,
        "Needed": execution.needed,
        "CapReason": execution.cap,
        "OrderedHosts": execution.ordered_hosts,
        "Shortfall": execution.shortfall,
        "FleetLine": fleet.line.value,
        "FailCode": execution.code,
        "InputVersions": _input_versions(execution),
    }


def _input_versions(execution: Execution) -> Row:
    """Each input with the version it came from; what there was none of is left out."""
    inputs, there, peak = execution.inputs, execution.presence, execution.peak
    versions: Row = {
        "Event": inputs.event.version_id,
        "Fleet": inputs.fleet.version_id,
        "FleetLine": inputs.fleet.line.value,
        "ASGProperties": inputs.fleet.asgs_version_id,
        "ASGPropertiesLine": inputs.fleet.asgs_line.value,
    }
    if inputs.service is not None:
        versions["Service"] = inputs.service.version_id
    if inputs.philosophy_facts is not None:
        versions["Philosophy"] = inputs.philosophy_facts.version_id
    if inputs.counting_exception is not None:
        versions["Exception"] = inputs.counting_exception.version_id
    if inputs.projection is not None:
        versions["Projection"] = inputs.projection.version_id
    if execution.approval_rule is not None:
        rule = execution.approval_rule
        versions["ApprovalRule"] = {"RuleId": rule.rule_id, "VersionId": rule.version_id}
    if inputs.bau_traffic is not None:
        versions["BAUTPM"] = inputs.bau_traffic.version_id
    if inputs.preferred_asgs is not None:
        preferred = inputs.preferred_asgs
        versions["PreferredASGs"] = {"ASGs": list(preferred.names), "UpdatedAt": iso(preferred.updated_at)}
    if inputs.formula is not None:
        versions["CustomFormula"] = inputs.formula.version_id
    if inputs.custom.sources:
        versions["CustomInputs"] = _custom_inputs(inputs.custom)
    if peak is not None:
        versions["PeakTPM"] = peak.source
    if there is not None:
        versions["HostsPresent"] = {
            "Source": there.source,
            "Reported": there.reported,
            "Arriving": there.arriving,
            "Leaving": there.leaving,
        }
        if there.as_of is not None:
            versions["HostsPresent"]["AsOf"] = iso(there.as_of)
    return versions


def _custom_inputs(custom: JoinedInputs) -> dict[str, Row]:
    """By CustomInputId that counted, its version and the figures that are from it."""
    found: dict[str, Row] = {}
    for attribute, source in custom.sources.items():
        counted = found.setdefault(source.custom_input_id, {"VersionId": source.version_id, "Gives": []})
        counted["Gives"].append(WIRE_NAMES[attribute])
    return found


def asg_columns(outcome: AsgOutcome, execution: Execution) -> Row:
    """A row of asg_details; asg_details_run has the run and the recommended hosts as well."""
    asg, fleet = outcome.asg, execution.inputs.fleet
    return {
        "FleetIndexId": execution.inputs.fleet_index_id,
        "AutoScalingGroupName": asg.name,
        "AsgTag": asg.tag,
        "HostType": asg.host_type or fleet.host_type,
        "AutoScalingGroupRegion": fleet.region,
        "EAPOnboardingStatus": asg.eap_onboarding_status,
        "EAPEnableStatus": outcome.eap_enabled,
        "AsgCapacityLowerBound": asg.capacity_lower_bound,
        "AutoScalingGroupARN": asg.arn,
    }


def half_up(value: Fraction) -> Decimal:
    """A number with two decimal places, half rounded up (7.3.10)."""
    return Decimal(_hundredths(value)).scaleb(-2)


def _factor(value: Fraction | None) -> Decimal | None:
    return None if value is None or abs(_hundredths(value)) > _MAX_HUNDREDTHS else half_up(value)


def _hundredths(value: Fraction) -> int:
    return (value.numerator * 200 + value.denominator) // (2 * value.denominator)

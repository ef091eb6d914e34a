"""A small company for HOTW's tests: the reference's service, fleet and event, and the use cases on one store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event as listener
from sqlalchemy import func, select

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.adapters.inputs.read_models import custom_input_state, exception_key
from services.hotw_svc.adapters.queries.queries import Queries
from services.hotw_svc.adapters.store import migrate, store_in
from services.hotw_svc.app.external.record_dashboard import record_dashboard
from services.hotw_svc.app.external.record_execution import record_execution
from services.hotw_svc.app.external.record_run import record_run
from services.hotw_svc.app.on_inputs_changed import on_event_changed, on_inputs_changed
from services.hotw_svc.app.orders.change_order import report_delivery, review_order
from services.hotw_svc.app.orders.review_orders import review_orders, work_review
from services.hotw_svc.app.orders.settle_order_books import settle_order_books
from services.hotw_svc.app.ports import Commands, InputKind, Store
from services.hotw_svc.app.runs.cancel_run import cancel_run
from services.hotw_svc.app.runs.execute_fleet import execute_fleet
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.app.runs.start_run import start_run
from services.hotw_svc.app.runs.work_run import complete_run, work_chunk
from services.hotw_svc.app.store_preferred_asgs import store_preferred_asgs
from shared.cause import Cause
from shared.clock import parse_instant
from shared.durability.read_model import Snapshot
from shared.envelope import Message
from shared.relational import Database
from shared.schemas.fleet_svc.custom_input import CustomInputSnapshot
from shared.schemas.hotw_order_reviews import ReviewOrders
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.schemas.topics import TOPICS
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.relational import publish_all

NOW = "2024-06-15T09:00:00Z"
AZ_FACTORS = {"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 1}
FLEET = "FORTRESSService-NA-X0"
SERVICE = "FORTRESSService"
EVENT = "PD2024"
SUMMER = "SUMMER"
AUDIT = {"User": "jsmith", "Timestamp": "2024-06-01T10:00:00Z"}


def event_body(version: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "EventId": EVENT,
        "VersionId": version,
        "EventName": "Prime Day 2024",
        "EventType": "Peak",
        "RegionList": ["us-east-1", "eu-west-1", "us-west-2"],
        "SPCOEventDatesByRegion": {"us-east-1": {"SPCOStartDate": "2024-05-15", "SPCOEndDate": "2024-07-20"}},
        "PeakStartDate": "2024-07-16",
        "PeakEndDate": "2024-07-17",
        "IsActive": True,
        "EmergentScaleStartDate": "2024-07-09",
        "AuditMetadata": AUDIT,
    } | changes


def service_body(service_id: str = SERVICE, version: int = 3, **changes: Any) -> dict[str, Any]:
    return {
        "ServiceId": service_id,
        "VersionId": version,
        "ServiceType": "Registered",
        "Owner": "fortress-owner@amazon.com",
        "LeaderAlias": "jsmith",
        "AuditMetadata": AUDIT,
    } | changes


def fleet_body(
    fleet_id: str = FLEET,
    service_id: str = SERVICE,
    version: int = 5,
    *,
    configuration: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    prefix = fleet_id.replace("-", "/")
    asgs = [
        {
            "AutoScalingGroupName": f"{prefix}/Prod/{az}",
            "AvailabilityZone": f"us-east-{az}",
            "DesiredCapacity": 50,
            "MaxInstance": 50,
        }
        for az in ("1a", "1b", "1c")
    ]
    return {
        "FleetId": fleet_id,
        "VersionId": version,
        "ServiceId": service_id,
        "AuditMetadata": AUDIT,
        "CapacityAsOf": "2024-06-01T10:00:00.000Z",
        "FleetConfiguration": {
            "Region": "us-east-1",
            "HostThroughPutTPM": 250,
            "BufferPercentage": 10,
            "CTFactor": 1.5,
            "MaxHostCount": 200,
            "HostType": "c5.2xlarge",
            "ASGProperties": asgs,
            "EAPEnrolledStatus": True,
            "Homogeneous": True,
        }
        | dict(configuration or {}),
    } | changes


def projection_body(fleet_id: str = FLEET, version: int = 3, **changes: Any) -> dict[str, Any]:
    return {
        "ProjectionId": f"{fleet_id}#{EVENT}#Peak",
        "VersionId": version,
        "FleetId": fleet_id,
        "EventId": EVENT,
        "ProjectionType": "Peak",
        "TotalInputTPM": 50000,
        "IsVerifiedByOwner": True,
        "AuditMetadata": AUDIT,
    } | changes


def philosophy_body(service_id: str = SERVICE, version: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "ServiceId": service_id,
        "VersionId": version,
        "CapacityStrategy": "CostBased",
        "AuditMetadata": AUDIT,
    } | changes


def exception_body(fleet_id: str = FLEET, version: int = 2, **changes: Any) -> dict[str, Any]:
    """The reference's exception, approved."""
    return {
        "ExceptionId": exception_key(fleet_id, EVENT),
        "VersionId": version,
        "FleetId": fleet_id,
        "EventId": EVENT,
        "ExceptionType": "BufferFactor",
        "RequestedValue": 1.3,
        "CurrentValue": 1.1,
        "Status": "Approved",
        "AuditMetadata": AUDIT,
    } | changes


def rule_body(rule_id: str = "small", version: int = 1, **changes: Any) -> dict[str, Any]:
    """An approval rule that binds nothing, unless criteria are given."""
    return {
        "RuleId": rule_id,
        "VersionId": version,
        "Name": "Small orders",
        "Enabled": True,
        "AuditMetadata": AUDIT,
    } | changes


def inventory_body(fleet_id: str = FLEET, hosts: int = 150, as_of: str = "2024-06-14T00:00:00.000Z") -> dict[str, Any]:
    return {"FleetId": fleet_id, "HostsPresent": hosts, "AsOf": as_of, "Source": "Apollo"}


def bau_body(fleet_id: str = FLEET, version: int = 1, **changes: Any) -> dict[str, Any]:
    """A `traffic.bau.changed`, without a BAUTPM unless one is given."""
    return {"FleetId": fleet_id, "VersionId": version, "Minutes": 1440, "AuditMetadata": AUDIT} | changes


def custom_input_body(
    custom_input_id: str = "PD2024-X0-peak", version: int = 1, *, fleet_id: str | None = FLEET, **changes: Any
) -> dict[str, Any]:
    """The guide's custom input; for all fleets where `fleet_id` is None."""
    own = {} if fleet_id is None else {"FleetId": fleet_id}
    body = {"CustomInputId": custom_input_id, "VersionId": version, "EventId": EVENT, **own}
    return body | {"Input": {"PeakTPM": 55_000}, "Reason": "Third-party traffic", "AuditMetadata": AUDIT} | changes


def formula_body(
    expression: str = "ceil(PeakTPM * BufferFactor / HostThroughPutTPM) + 2",
    service_id: str = SERVICE,
    version: int = 1,
) -> dict[str, Any]:
    """The reference's custom formula, unless another is given."""
    return {"ServiceId": service_id, "VersionId": version, "Expression": expression, "AuditMetadata": AUDIT}


def plan_body(fleet_id: str = FLEET, version: int = 8, **milestones: tuple[str, str]) -> dict[str, Any]:
    """The plan of a fleet whose milestones are NotStarted, but for those given with their status and message."""

    def milestone(name: str, **members: Any) -> dict[str, Any]:
        status, message = milestones.get(name, ("NotStarted", None))
        given = {} if message is None else {"MilestoneMessage": message}
        return {"EventMilestoneId": name, "MilestoneCompletionStatus": status, **given, **members}

    subs = [milestone("PlaceHardwareOrder"), milestone("HardwareOrderApproval")]
    return {
        "EventPlanId": f"{EVENT}#{fleet_id}",
        "EventId": EVENT,
        "FleetId": fleet_id,
        "ServiceId": SERVICE,
        "VersionId": version,
        "EventMilestone": [
            milestone("GatherProjectionFromUpstream", ETA="2024-06-01"),
            milestone("HardwareOrder", ETA="2024-06-16", SubMilestones=subs),
            milestone("HardwareFulfillment", ETA="2024-07-06"),
        ],
        "EventDescaleMilestone": [],
        "AuditMetadata": AUDIT,
    }


def snapshot(key: str, body: Mapping[str, Any], *, deleted: bool = False) -> Snapshot:
    """The resource as a read model stores it; an inventory's version is its AsOf."""
    version = int(body["VersionId"]) if "VersionId" in body else int(parse_instant(body["AsOf"]).timestamp() * 1000)
    return key, version, {**body, "Deleted": True} if deleted else dict(body)


def custom_input(body: Mapping[str, Any], *, deleted: bool = False) -> Snapshot:
    """The custom input as its read model stores it."""
    held = CustomInputSnapshot.model_validate({**body, "Deleted": True} if deleted else body)
    return held.custom_input_id, held.version_id, custom_input_state(held)


class Broker:
    """A broker in memory; every fact it takes fits its contract."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        for message in messages:
            kind = TOPICS[message.topic].message(message.type)
            assert kind is not None
            kind.model.model_validate_json(message.data)
        self.taken.extend(messages)
        return [None] * len(messages)

    def facts(self, topic: str) -> list[dict[str, Any]]:
        return [message.body() for message in self.taken if message.topic == topic]

    @property
    def topics(self) -> list[str]:
        return [message.topic for message in self.taken]


_numbers = itertools.count()


@dataclass
class Replica:
    """One replica of hotw_svc: its store, and its use cases by name."""

    database: Database
    store: Store
    clock: FixedClock
    broker: Broker
    user: str = "jsmith"
    queries: Queries = field(init=False)
    commands: Commands = field(init=False)

    def __post_init__(self) -> None:
        store = self.store
        self.queries = Queries(self.database)
        self.commands = Commands(
            start_run=partial(start_run, store=store, wake_workers=lambda: None),
            cancel_run=partial(cancel_run, store=store),
            execute_fleet=partial(execute_fleet, store=store, clock=self.clock),
            review_order=partial(review_order, store=store),
            review_orders=partial(review_orders, store=store, clock=self.clock, wake=lambda: None),
            report_delivery=partial(report_delivery, store=store),
            store_preferred_asgs=partial(store_preferred_asgs, store=store),
            record_run=partial(record_run, store=store),
            record_execution=partial(record_execution, store=store),
            record_dashboard=partial(record_dashboard, store=store),
        )

    def cause(self, id: str | None = None, digest: str = "d") -> Cause:
        return Cause(self.clock.now(), self.user, Trace("c1", "m1"), id or f"test {next(_numbers)}", digest)

    async def keep(self, kind: str, *items: Snapshot) -> None:
        if kind != InputKind.EVENT:
            traces = {key: Trace("c1", "m1") for key, _, _ in items}
            await on_inputs_changed(InputKind(kind), items, traces, store=self.store, clock=self.clock)
            return
        for item in items:
            await on_event_changed(item, Trace("c1", "m1"), store=self.store, clock=self.clock)

    async def inputs(self, fleet_id: str = FLEET) -> dict[str, Any]:
        """The inputs of a fleet that HOTW knows."""
        return await self.queries.known_inputs(EVENT, fleet_id)

    async def settle_in(self, **changes: Any) -> None:
        """The reference's company: its event, service, fleet, projection and inventory."""
        await self.keep("event", snapshot(EVENT, event_body()))
        await self.keep("service", snapshot(SERVICE, service_body()))
        await self.keep("fleet", snapshot(FLEET, fleet_body(**changes)))
        await self.keep("projection", snapshot(f"{FLEET}#{EVENT}#Peak", projection_body()))
        await self.keep("inventory", snapshot(FLEET, inventory_body()))

    async def start(self, cause: Cause | None = None, **body: Any) -> dict[str, Any]:
        command = StartRun.model_validate({"EventId": EVENT} | body)
        return (await self.commands.start_run(command, cause or self.cause())).body

    async def execute(self, fleet_id: str = FLEET, cause: Cause | None = None, **body: Any) -> dict[str, Any]:
        command = ExecuteFleet.model_validate({"EventId": EVENT, "FleetId": fleet_id} | body)
        return (await self.commands.execute_fleet(command, cause or self.cause())).body

    async def cancel(self, run_id: int, cause: Cause | None = None) -> dict[str, Any]:
        return (await self.commands.cancel_run(CancelRun(run_id=run_id), cause or self.cause())).body

    async def review(self, order: str, decision: str, cause: Cause | None = None, **body: Any) -> dict[str, Any]:
        command = ReviewOrder.model_validate({"FulfillmentId": order, "Decision": decision} | body)
        return (await self.commands.review_order(command, cause or self.cause())).body

    async def review_many(self, decision: str, cause: Cause | None = None, **body: Any) -> dict[str, Any]:
        command = ReviewOrders.model_validate({"Decision": decision} | body)
        return (await self.commands.review_orders(command, cause or self.cause())).body

    async def work_review(self, review_id: int) -> dict[str, Any]:
        """Works the review off, as a worker does."""
        while await work_review(self.store, self.clock, review_id):
            pass
        return await self.read_review(review_id)

    async def read_review(self, review_id: int) -> dict[str, Any]:
        return (await self.queries.order_review(review_id)).body

    async def orders(self, **where: Any) -> list[dict[str, Any]]:
        """All orders of the event, by FulfillmentId."""
        filters = {"event_id": EVENT, "fleet_id": None, "status": None} | where
        return (await self.queries.orders(**filters, after=None, limit=10_000)).items

    async def deliver(self, order: str, hosts: int, cause: Cause | None = None, **body: Any) -> dict[str, Any]:
        command = ReportDelivery.model_validate({"FulfillmentId": order, "FulfilledHosts": hosts} | body)
        return (await self.commands.report_delivery(command, cause or self.cause())).body

    async def work(self, run_id: int, limit: int = 100, lease: float = 30.0) -> None:
        """Works the run off, as a worker does."""
        while (await work_chunk(self.store, self.clock, run_id, limit=limit, lease=lease)).found_work:
            pass
        await complete_run(self.store, self.clock, run_id)

    async def run(self, **body: Any) -> dict[str, Any]:
        run = await self.start(**body)
        await self.work(run["RunId"])
        return await self.read_run(run["RunId"])

    async def read_run(self, run_id: int) -> dict[str, Any]:
        return (await self.queries.run(run_id, self.clock.now())).body

    async def run_state(self, run_id: int) -> Run:
        run = await self.store.read(lambda unit: unit.runs.get(run_id))
        assert run is not None
        return run

    async def executions(self, fleet_id: str = FLEET, limit: int = 10) -> list[dict[str, Any]]:
        """The fleet's executions for the event, newest first."""
        return (await self.queries.executions(EVENT, fleet_id, before=None, limit=limit)).items

    async def sweep(self) -> int:
        return await settle_order_books(store=self.store, clock=self.clock)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The statements that the database gets; one with many rows of parameters counts once."""
        seen: list[str] = []

        def record(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
            seen.append(statement)

        engine = self.database.engine.sync_engine
        listener.listen(engine, "before_cursor_execute", record)
        yield seen
        listener.remove(engine, "before_cursor_execute", record)

    async def published(self) -> Broker:
        """The broker, once everything written has reached it."""
        await publish_all(self.database)
        return self.broker


def open_replica(
    address: str | Path,
    clock: FixedClock,
    broker: Broker,
    factors: Mapping[str, Any],
    *,
    queue_groups: bool = False,
) -> Replica:
    database = Database(address, migrate, broker.publish)
    store = store_in(database, az_factors(factors), queue_groups=queue_groups)
    return Replica(database, store, clock, broker)


async def many(hotw: Replica, count: int) -> list[str]:
    """A company of ``count`` fleets of services with five each, every one in need of 37 hosts."""
    await hotw.keep("event", snapshot(EVENT, event_body()))
    fleets = [f"Fleet-{n}" for n in range(count)]
    services = [f"Service-{n}" for n in range((count + 4) // 5)]
    await hotw.keep("service", *(snapshot(name, service_body(name)) for name in services))
    await hotw.keep("fleet", *(snapshot(name, fleet_body(name, services[n // 5])) for n, name in enumerate(fleets)))
    await hotw.keep(
        "projection",
        *(snapshot(f"{name}#{EVENT}#Peak", projection_body(name, TotalInputTPM=170 * 250)) for name in fleets),
    )
    return fleets


async def counted(hotw: Replica, table: Any) -> int:
    async with hotw.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def summer(hotw: Replica, fleets: list[str], tpm: int = 60_000, **changes: Any) -> None:
    """A second event with the same peak, so that each event's overrides run over the other's whole peak."""
    await hotw.keep("event", snapshot(SUMMER, event_body(EventId=SUMMER, **changes)))
    projections = {f"{fleet}#{SUMMER}#Peak": projection_body(fleet, EventId=SUMMER) for fleet in fleets}
    await hotw.keep(
        "projection",
        *(snapshot(key, {**body, "ProjectionId": key, "TotalInputTPM": tpm}) for key, body in projections.items()),
    )

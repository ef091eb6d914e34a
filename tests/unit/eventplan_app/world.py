"""What the tests of eventplan_svc's use cases stand on: others' snapshots, and processes that are told of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.eventplan_svc.app import UseCases
from services.eventplan_svc.domain.milestones import by_id
from services.eventplan_svc.entrypoints.messages import subscriptions
from shared.cause import Cause
from shared.clock import Clock, FixedClock
from shared.documents.contract import Store, Written
from shared.messaging.envelope import Message, encode_headers
from shared.messaging.subscription import Bulk, CommandSubscription, Done, Each, Subscription
from shared.trace import Trace

NOW = "2024-05-01T09:00:00Z"
Said = tuple[str, dict[str, Any]]
Published = Callable[[], Awaitable[list[Message]]]


def audit(at: str) -> dict[str, Any]:
    return {"Timestamp": at, "User": "somebody"}


def service(service_id: str = "FORTRESSService", version: int = 1, *, deleted: bool = False, **members: Any) -> Said:
    """The topic and snapshot of a Registered service."""
    body = {
        "ServiceId": service_id, "ServiceType": "Registered", "Owner": f"{service_id}-owner", "LeaderAlias": "jsmith",
        **members, "VersionId": version, "SchemaVersion": 1, "AuditMetadata": audit("2024-04-01T09:00:00.000Z"),
    }  # fmt: skip
    return _said("service", version, body, deleted=deleted)


def fleet(
    fleet_id: str = "FORTRESSService-NA-X0", version: int = 1, *, of: str = "FORTRESSService",
    region: str = "us-east-1", deleted: bool = False, line: str | None = None,
) -> Said:  # fmt: skip
    """The topic and snapshot of a fleet; with ``line`` of its line for that event."""
    body: dict[str, Any] = {
        "FleetId": fleet_id, "ServiceId": of, "FleetConfiguration": {"Region": region, "HostThroughPutTPM": 250},
        "VersionId": version, "SchemaVersion": 1, "AuditMetadata": audit("2024-04-01T09:00:00.000Z"),
    }  # fmt: skip
    if line is not None:
        body["EventId"] = line
    return _said("fleet", version, body, deleted=deleted)


def event(
    event_id: str = "PD2024", version: int = 1, *, start: str = "2024-07-16", end: str = "2024-07-17",
    regions: Sequence[str] = ("us-east-1", "eu-west-1"), active: bool = True, deleted: bool = False,
    at: str = "2024-05-01T09:00:00.000Z",
) -> Said:  # fmt: skip
    """The topic and snapshot of a peak."""
    body = {
        "EventId": event_id, "EventName": event_id, "RegionList": list(regions), "PeakStartDate": start,
        "PeakEndDate": end, "IsActive": active, "VersionId": version, "SchemaVersion": 1, "AuditMetadata": audit(at),
    }  # fmt: skip
    return _said("event", version, body, deleted=deleted)


def projection(
    fleet_id: str = "FORTRESSService-NA-X0", version: int = 1, *, event_id: str = "PD2024", tpm: int = 50_000,
    owner: bool = True, upstream: bool = True, kind: str = "Peak", at: str = "2024-05-20T09:00:00.000Z",
    deleted: bool = False,
) -> Said:  # fmt: skip
    """The topic and snapshot of a projection with one upstream."""
    body = {
        "ProjectionId": f"{fleet_id}#{event_id}#{kind}", "FleetId": fleet_id, "EventId": event_id,
        "ProjectionType": kind, "TotalInputTPM": tpm, "IsVerifiedByOwner": owner,
        "UpstreamProjections": [{"UpstreamServiceId": "OrderService", "IsVerified": upstream}],
        "VersionId": version, "SchemaVersion": 1, "AuditMetadata": audit(at),
    }  # fmt: skip
    return _said("projection", version, body, deleted=deleted)


def order(number: int, status: str = "Pending", hosts: int = 20) -> dict[str, Any]:
    return {
        "FulfillmentId": f"F5-42-{number}", "ExecutionId": 789, "RunId": 5,
        "AutoScalingGroupName": f"FORTRESSService/NA/X0/Prod/1{number}", "AvailabilityZone": "us-east-1a",
        "FulfillmentType": "Standard", "FulfillmentStatus": status, "EverApproved": status in ("Approved", "Fulfilled"),
        "FulfillmentValue": hosts, "FulfilledHosts": hosts if status == "Fulfilled" else 0,
        "FulfillmentDate": "2024-06-29",
    }  # fmt: skip


def hardware(
    topic: str, version: int, *orders: dict[str, Any], fleet_id: str = "FORTRESSService-NA-X0",
    event_id: str = "PD2024", at: str = "2024-06-15T09:00:00.000Z", purpose: str = "Upscaling",
) -> Said:  # fmt: skip
    """The topic and data of a ``hotw.*`` fact: execution 789 of run 5 ordered 50 hosts, 220 needed."""
    return f"hotw.{topic}", {
        "EventId": event_id, "FleetId": fleet_id, "ServiceId": "FORTRESSService", "Purpose": purpose,
        "OrdersVersionId": version, "OccurredAt": at,
        "Execution": {
            "ExecutionId": 789, "RunId": 5, "OrderType": "Standard", "Status": "Success",
            "Reasoning": "220 are needed, 200 is MaxHostCount, 150 are present: 50 ordered", "Needed": 220,
            "RequiredHosts": 200, "CapacityOverrideSum": 50, "OrderedHosts": 50,
            "CapReason": "MaxHostCount", "CreatedAt": at,
        },
        "Orders": list(orders),
    }  # fmt: skip


def _said(resource: str, version: int, body: dict[str, Any], *, deleted: bool) -> Said:
    if deleted:
        body["Deleted"] = True
    verb = "deleted" if deleted else "created" if version == 1 else "updated"
    return f"{resource}.{verb}", body


_KEYS = {"service": ("ServiceId",), "fleet": ("FleetId", "EventId"), "event": ("EventId",),
         "projection": ("FleetId", "EventId", "ProjectionType"), "hotw": ("EventId", "FleetId", "Purpose"),
         "eventplan": ("FleetId",)}  # fmt: skip


@dataclass(frozen=True)
class FakeRecord:
    """A record as it would come from Kafka."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def message(
    said: Said, *, ce_id: str | None = None, ce_type: str | None = None, if_match: str | None = None
) -> Message:
    """One message of another service, or a command."""
    topic, body = said
    key = "#".join(str(body[name]) for name in _KEYS[topic.partition(".")[0]] if name in body)
    return Message(
        topic=topic, type=ce_type or topic, key=key, data=orjson.dumps(body), source="/tests",
        time=FixedClock(NOW).now(), trace=Trace.begin("a-first-call"),
        id=ce_id or f"{key}:{body.get('VersionId', body.get('OrdersVersionId'))}:{topic}", if_match=if_match,
    )  # fmt: skip


def record(one: Message) -> FakeRecord:
    return FakeRecord(one.topic, 0, 0, 0, one.key.encode(), one.data, tuple(encode_headers(one)))


@dataclass
class Process:
    """One process of eventplan_svc, told of messages by hand."""

    store: Store
    clock: Clock
    use_cases: UseCases = field(init=False)

    def __post_init__(self) -> None:
        self.use_cases = UseCases.on(self.store, self.clock)
        self.use_cases.board.complete.set()
        self._subscriptions = subscriptions(self.use_cases, self.clock)

    async def look(self) -> None:
        """The board as a process builds it at its start."""
        known = self.use_cases.knowledge
        async for keys in known.plan_ids(await known.events()):
            for one in await self.use_cases.plans.held(keys):
                self.use_cases.board.put(one.key, one.version, one.plan)

    async def hear(self, *said: Said) -> None:
        """Handles messages as one batch of each subscription after the other, in the order of the first of each."""
        batches: dict[str, list[FakeRecord]] = {}
        for one in said:
            group = next(sub.group for sub in self._subscriptions if one[0] in sub.topics)
            batches.setdefault(group, []).append(record(message(one)))
        for group, records in batches.items():
            await self.handle(group, records)

    async def handle(self, group: str, records: Iterable[FakeRecord]) -> None:
        subscription = next(sub for sub in self._subscriptions if sub.group == group)
        assert isinstance(subscription, Subscription)
        batch = [subscription.read(one) for one in records]
        match subscription.handler:
            case Bulk(handle):
                await handle(batch)
            case Each(handle_one):
                for one in batch:
                    await handle_one(one)

    async def command(
        self, ce_type: str, ce_id: str, body: dict[str, Any], *, if_match: str | None = None
    ) -> dict[str, Any]:
        """The data of a command's answer."""
        subscription = next(sub for sub in self._subscriptions if isinstance(sub, CommandSubscription))
        one = record(message(("eventplan.commands", body), ce_id=ce_id, ce_type=ce_type, if_match=if_match))
        done: Done = await subscription.handle(subscription.read(one), self.clock)
        return dict(orjson.loads(done.answers[0].data))

    async def plan(self, fleet_id: str = "FORTRESSService-NA-X0", event_id: str = "PD2024") -> dict[str, Any]:
        """The plan as it is read."""
        reads = self.use_cases.read_plans
        return reads.latest_view(await reads.latest(event_id, fleet_id))

    async def plans(self, **where: str) -> list[dict[str, Any]]:
        page = await self.use_cases.read_plans.matching(where, after=None, limit=10_000)
        return [item.wire() for item in page.items]

    async def status(
        self, milestone_id: str, status: str, fleet_id: str = "FORTRESSService-NA-X0", event_id: str = "PD2024",
        **options: Any,
    ) -> Written:  # fmt: skip
        """A person sets a milestone's status."""
        body = {"EventMilestoneId": milestone_id, "MilestoneCompletionStatus": status}
        return await self.use_cases.set_milestone_status(event_id, fleet_id, body, self.person(), **options)

    def person(self, cause_id: str | None = None, digest: str = "") -> Cause:
        return Cause(self.clock.now(), "somebody", Trace.begin(), cause_id, digest)


@dataclass
class Home:
    """One database, on which any number of processes may be started, and what they published together."""

    open_store: Callable[[Callable[[Sequence[Message]], Awaitable[list[Exception | None]]]], Store]
    clock: Clock
    stores: list[Store] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)

    async def process(self) -> Process:
        """One more process of the service, with a store of its own."""
        store = self.open_store(self._publish)
        process = Process(store, self.clock)
        await store.start()
        self.stores.append(store)
        return process

    async def published(self) -> list[Message]:
        """Every message once, each key's in their order."""
        for store in self.stores:
            await store.drain()
        return list(self.messages.values())

    async def close(self) -> None:
        for store in self.stores:
            await store.stop()

    async def _publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        for message in messages:
            self.messages.setdefault(message.id, message)
        return [None] * len(messages)


def said(plan: dict[str, Any], milestone_id: str) -> tuple[str, str | None]:
    """A milestone's status and message."""
    milestone = by_id(plan)[milestone_id]
    return milestone["MilestoneCompletionStatus"], milestone.get("MilestoneMessage")

"""Processes of eventplan_svc's use cases on one store, given by hand what other services publish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from services.eventplan_svc.app.show_dashboard import Dashboard, Place
from services.eventplan_svc.bootstrap import Wiring, build
from services.eventplan_svc.domain.inputs import Event, Fleet, Service
from shared.cause import Cause
from shared.clock import Clock
from shared.conditions import parse_condition
from shared.documents import Store, Written
from shared.envelope import Message, Record
from shared.messaging.commands import CommandSubscription
from shared.messaging.subscription import Done
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    DashboardQuery,
    MilestoneId,
    MilestoneStatus,
    PlanCommand,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.trace import Trace
from tests.support.embedded_stack import Replica, Stack
from tests.support.messaging import record_of
from tests.support.snapshots import TopicBody, message

NOW = "2024-05-01T09:00:00Z"
Published = Callable[[], Awaitable[list[Message]]]


@dataclass
class Process:
    """One process of eventplan_svc, given messages by hand."""

    store: Store
    clock: Clock
    wiring: Wiring = field(init=False)

    def __post_init__(self) -> None:
        self.wiring = Wiring(self.store, self.clock)
        self.wiring.view.complete.set()

    async def look(self) -> None:
        """The view as a process builds it at its start."""
        await self.wiring.build_view()

    async def take(self, *published: TopicBody) -> None:
        """Handles events as one batch of each subscription after the other, in the order of the first of each."""
        batches: dict[str, list[Record]] = {}
        for one in published:
            group = next(sub.group for sub in self.wiring.subscriptions if one[0] in sub.topics)
            batches.setdefault(group, []).append(record_of(message(one, self.clock.now())))
        for group, records in batches.items():
            await self.handle(group, records)

    async def know(self, *published: TopicBody) -> None:
        """Keeps events, fleets and services, and makes no plan: as a process does that dies in between."""
        read_models = self.wiring.read_models
        for topic, body in published:
            match topic.partition(".")[0]:
                case "event":
                    await read_models.events.put([(body["EventId"], Event.of(EventSnapshot.model_validate(body)))])
                case "fleet":
                    await read_models.fleets.put([(body["FleetId"], Fleet.of(FleetSnapshot.model_validate(body)))])
                case _:
                    service = Service.of(ServiceSnapshot.model_validate(body))
                    await read_models.services.put([(service.service_id, service)])

    async def handle(self, group: str, records: Iterable[Record]) -> None:
        subscription = next(sub for sub in self.wiring.subscriptions if sub.group == group)
        batch = [subscription.read(one) for one in records]
        if subscription.handle_all is not None:
            await subscription.handle_all(batch)
            return
        for one in batch:
            await subscription.handle(one, self.clock)

    async def command(
        self, ce_type: str, ce_id: str, body: dict[str, Any], *, if_match: str | None = None
    ) -> dict[str, Any]:
        """The data of a command's answer."""
        subscription = next(sub for sub in self.wiring.subscriptions if isinstance(sub, CommandSubscription))
        asked = ("eventplan.commands", body)
        one = record_of(message(asked, self.clock.now(), ce_id=ce_id, ce_type=ce_type, if_match=if_match))
        done: Done = await subscription.handle(subscription.read(one), self.clock)
        return dict(orjson.loads(done.answers[0].data))

    async def create_plan(self, body: dict[str, Any], cause: Cause | None = None) -> Written:
        """A person makes a plan by hand."""
        command = CreateEventPlan.model_validate(body)
        return await self._written(command, cause or self.person())

    async def _written(self, command: PlanCommand, cause: Cause) -> Written:
        use_case = next(one.use_case for one in self.wiring.commands if isinstance(command, one.model))
        written = await use_case(command, cause)
        assert isinstance(written, Written)
        return written

    async def plan(self, fleet_id: str = "FORTRESSService-NA-X0", event_id: str = "PD2024") -> dict[str, Any]:
        """The plan as it is read."""
        return (await self.wiring.read_plans.latest(f"{event_id}#{fleet_id}")).wire()

    async def plans(self, **where: str) -> list[dict[str, Any]]:
        page = await self.wiring.read_plans.matching(where, after=None, limit=10_000)
        return [item.wire() for item in page.items]

    async def status(
        self,
        milestone_id: str,
        status: str,
        fleet_id: str = "FORTRESSService-NA-X0",
        event_id: str = "PD2024",
        expected: int | None = None,
    ) -> Written:
        """A person sets a milestone's status."""
        command = SetMilestoneStatus(
            event_id=event_id,
            fleet_id=fleet_id,
            event_milestone_id=MilestoneId(milestone_id),
            milestone_completion_status=MilestoneStatus(status),
        )
        cause = replace(self.person(), condition=None if expected is None else parse_condition(f'"{expected}"'))
        return await self._written(command, cause)

    async def eta(self, milestone_id: str, eta: str, fleet_id: str = "FORTRESSService-NA-X0") -> Written:
        """A person sets a milestone's ETA for PD2024."""
        command = SetMilestone.model_validate(
            {"EventId": "PD2024", "FleetId": fleet_id, "EventMilestoneId": milestone_id, "ETA": eta}
        )
        return await self._written(command, self.person())

    async def dashboard(
        self,
        event_id: str = "PD2024",
        after: Place | None = None,
        *,
        as_of: datetime | None = None,
        caller: str = "ann",
        **query: Any,
    ) -> Dashboard:
        """The dashboard of now, or of an earlier time."""
        wiring = self.wiring
        shown = await (wiring.present(event_id) if as_of is None else wiring.past(event_id, at=as_of, caller=caller))
        return shown.page(DashboardQuery.model_validate(query), after)

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
        for one in messages:
            self.messages.setdefault(one.id, one)
        return [None] * len(messages)


class EventPlans(Stack):
    """The service running whole, on the embedded log."""

    async def replica(self) -> Replica:
        return await self.start(build)


async def dashboard(replica: Replica, **body: Any) -> Any:
    """A page of PD2024's dashboard; None while there is none."""
    answer = await replica.http.put("/event/PD2024/dashboard", json=body)
    return answer.json() if answer.status_code == 200 else None


def milestones(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every milestone of a plan as it is read, by id."""
    tops = [*plan["EventMilestone"], *plan["EventDescaleMilestone"]]
    return {one["EventMilestoneId"]: one for top in tops for one in (top, *top.get("SubMilestones", ()))}


def state(plan: dict[str, Any], milestone_id: str) -> tuple[str, str | None]:
    """A milestone's status and message."""
    milestone = milestones(plan)[milestone_id]
    return milestone["MilestoneCompletionStatus"], milestone.get("MilestoneMessage")

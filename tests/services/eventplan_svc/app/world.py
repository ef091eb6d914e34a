"""Owns processes of eventplan_svc's use cases on one store, told by hand of what others say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.eventplan_svc.app import UseCases
from services.eventplan_svc.domain.milestones import by_id
from services.eventplan_svc.entrypoints.messages import subscriptions
from shared.cause import Cause
from shared.clock import Clock
from shared.documents.contract import Store, Written
from shared.envelope import Message, Record
from shared.messaging.commands import CommandSubscription
from shared.messaging.subscription import Done, Subscription
from shared.trace import Trace
from tests.support.messaging import record_of
from tests.support.snapshots import TopicBody, message

NOW = "2024-05-01T09:00:00Z"
Published = Callable[[], Awaitable[list[Message]]]


@dataclass
class Process:
    """One process of eventplan_svc, told of messages by hand."""

    store: Store
    clock: Clock
    use_cases: UseCases = field(init=False)

    def __post_init__(self) -> None:
        self.use_cases = UseCases.on(self.store, self.clock)
        self.use_cases.board.complete.set()
        self._subscriptions = subscriptions(self.use_cases)

    async def look(self) -> None:
        """The board as a process builds it at its start."""
        known = self.use_cases.knowledge
        async for keys in known.plan_ids(await known.events()):
            for one in await self.use_cases.plans.held(keys):
                self.use_cases.board.put(one.key, one.version, one.plan)

    async def hear(self, *said: TopicBody) -> None:
        """Handles messages as one batch of each subscription after the other, in the order of the first of each."""
        batches: dict[str, list[Record]] = {}
        for one in said:
            group = next(sub.group for sub in self._subscriptions if one[0] in sub.topics)
            batches.setdefault(group, []).append(record_of(message(one, self.clock.now())))
        for group, records in batches.items():
            await self.handle(group, records)

    async def handle(self, group: str, records: Iterable[Record]) -> None:
        subscription = next(sub for sub in self._subscriptions if sub.group == group)
        assert isinstance(subscription, Subscription)
        batch = [subscription.read(one) for one in records]
        if subscription.handle_all is not None:
            await subscription.handle_all(batch)
        else:
            for one in batch:
                await subscription.handle(one, self.clock)

    async def command(
        self, ce_type: str, ce_id: str, body: dict[str, Any], *, if_match: str | None = None
    ) -> dict[str, Any]:
        """The data of a command's answer."""
        subscription = next(sub for sub in self._subscriptions if isinstance(sub, CommandSubscription))
        said = ("eventplan.commands", body)
        one = record_of(message(said, self.clock.now(), ce_id=ce_id, ce_type=ce_type, if_match=if_match))
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
        for one in messages:
            self.messages.setdefault(one.id, one)
        return [None] * len(messages)


def said(plan: dict[str, Any], milestone_id: str) -> tuple[str, str | None]:
    """A milestone's status and message."""
    milestone = by_id(plan)[milestone_id]
    return milestone["MilestoneCompletionStatus"], milestone.get("MilestoneMessage")

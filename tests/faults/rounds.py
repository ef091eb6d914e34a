"""One round: a load under faults, then quiet, everything delivered again, and every invariant looked at."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tests.faults.doors import Stuck
from tests.faults.evidence import Evidence
from tests.faults.invariants import violations
from tests.faults.invariants.colours import walked_changes
from tests.faults.ledger import Ledger
from tests.faults.load import Clients, Load
from tests.faults.ordering import run_of
from tests.faults.picture import Picture
from tests.faults.plan import ELSEWHERE, Company, Disturbance, Sizes, company
from tests.faults.poison import poison_some


class Harness(Protocol):
    """An EPIC that is loaded, disturbed and looked into; rounds come one after the other on it."""

    ledger: Ledger
    clients: Clients
    groups: dict[str, tuple[str, ...]]
    evidence: Evidence

    @property
    def counts(self) -> Counter[str]:
        """How often what was disturbed."""

    def plan(self, seed: str, sizes: Sizes) -> list[Disturbance]:
        """What will be disturbed in a round of that seed."""

    async def disturb(self, planned: Sequence[Disturbance]) -> None:
        """Does it; returns when the last disturbance is over."""

    async def all_back(self) -> None:
        """Returns when all of EPIC is ready."""

    def ended(self) -> list[str]:
        """Which processes ended by themselves since this was asked last, each with the end of its log."""

    async def at_rest(self, *, seconds: float = 400, mails_too: bool = False) -> None:
        """Returns when nothing waits or moves any more. Stuck, saying what does, when that does not come in time."""

    async def picture_at_rest(self, *, mails_too: bool = False) -> Picture:
        """Everything that is stored and published, read from the stores while nothing moved."""


def seed_of(seed: int, number: int) -> str:
    """The seed of a round, which all of it is drawn from."""
    return f"{seed}/{number}"


@dataclass(slots=True)
class Report:
    """What a round did and found."""

    number: int
    disturbances: list[Disturbance]
    seconds: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    writes: int = 0
    commands: int = 0

    @asynccontextmanager
    async def timed(self, phase: str) -> AsyncIterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - began


async def play_round(harness: Harness, seed: int, number: int, sizes: Sizes) -> Report:
    """Plays one round to its end; its ids begin with its number, so that many fit on one harness."""
    name = seed_of(seed, number)
    here = company(name, f"r{number}", sizes)
    planned = harness.plan(name, sizes)
    report = Report(number, planned)
    before = (len(harness.ledger.writes), len(harness.ledger.commands))
    load = Load(name, here, sizes, harness.clients)
    try:
        async with report.timed("load"):
            await _load_disturbed(harness, load, planned)
        async with report.timed("back"):
            await harness.all_back()
        async with report.timed("quiet"):
            await harness.at_rest()
        async with report.timed("closing"):
            await asyncio.gather(*(run_of(load, event.id) for event in here.events))
            await harness.at_rest()
        expect(harness.ledger, here)
        async with report.timed("again"):
            report.violations += await _deliver_again(harness, here, before[1])
        async with report.timed("retire"):
            await retire(harness, load)
    except* (Stuck, AssertionError) as group:
        report.violations += [f"stuck: {error}" for error in _leaves(group)]
    report.violations += harness.ended() + harness.ledger.take_strange()
    after = (len(harness.ledger.writes), len(harness.ledger.commands))
    report.writes, report.commands = (new - old for new, old in zip(after, before, strict=True))
    return report


async def settle(harness: Harness) -> tuple[list[str], int]:
    """The last look at a harness: once the mails that were put off have gone too, everything must hold.

    What does not, and how many records lie in the topics.
    """
    try:
        picture = await harness.picture_at_rest(mails_too=True)
    except Stuck as stuck:
        return [f"stuck: {stuck}"], 0
    return violations(picture, harness.ledger), len(picture.published)


async def _load_disturbed(harness: Harness, load: Load, planned: list[Disturbance]) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        tasks.create_task(poison_some(load, harness.groups))
        tasks.create_task(harness.disturb(planned))


def expect(ledger: Ledger, here: Company) -> None:
    """Notes what must be there now that a company's load is through."""
    for event in here.events:
        for fleet in here.fleets:
            pair = (event.id, fleet.id)
            if fleet.deleted:
                ledger.perhaps.add(pair)
            else:
                ledger.plans.add(pair)
                if fleet.region == ELSEWHERE:
                    ledger.closed.add(pair)
                else:
                    ledger.hosts[pair] = fleet.hosts(event.id)


async def _deliver_again(harness: Harness, here: Company, since: int) -> list[str]:
    """Looks, delivers every command of the round once more, and looks again: nothing may have changed by it."""
    found = await harness.picture_at_rest()
    wrong = violations(found, harness.ledger)
    commands = list(harness.ledger.commands.values())[since:]
    for command in commands:
        await harness.clients.commands.deliver(command, elsewhere=True)
    now = await harness.picture_at_rest()
    if not wrong:
        wrong = violations(now, harness.ledger)
    after = now.state()
    wrong += await _unlike_the_versions(harness, here, now)
    changed = [name for name, stood in found.state().items() if after.get(name) != stood]
    return wrong + [f"redelivery: {name} is not as it was before every command came again" for name in changed]


async def _unlike_the_versions(harness: Harness, here: Company, picture: Picture) -> list[str]:
    """The events of which EPIC lists other changes of colour than their plans' versions have, each once."""
    wrong = []
    for event in here.events:
        listed, query = [], "Limit=7"
        while query:
            page = await harness.clients.http.read(f"/event/{event.id}/changes?{query}")
            listed += [{name: one[name] for name in ("FleetId", "From", "To", "Timestamp")} for one in page["Items"]]
            query = f"Limit=7&Cursor={page['NextCursor']}" if page["NextCursor"] else ""
        walked = walked_changes(picture, event.id)
        if sorted(listed, key=lambda one: (one["Timestamp"], one["FleetId"])) != walked:
            wrong.append(f"the changes of {event.id} are listed as {listed}, the versions have {walked}")
    return wrong


async def retire(harness: Harness, load: Load) -> None:
    """Ends a company's events and services, so that the next one's plans are its own alone."""
    clients, rng = harness.clients, load.rng("retire")
    for event in load.company.events:
        owner, ids, route = ("event_svc", "event"), {"EventId": event.id}, f"/event/{event.id}"
        if rng.random() < 0.5:
            command = ("event.commands", "UpdateEvent")
            await clients.write(rng, owner, event.id, ("PUT", route), command, {"IsActive": False}, ids)
        else:
            await clients.write(rng, owner, event.id, ("DELETE", route), ("event.commands", "DeleteEvent"), {}, ids)
    for service in load.company.services:
        owner, ids, route = ("fleet_svc", "service"), {"ServiceId": service.id}, f"/service/{service.id}"
        command = ("fleet.commands", "UpdateService")
        await clients.write(rng, owner, service.id, ("PUT", route), command, {"ServiceType": "Onboarding"}, ids)
    harness.ledger.closed |= {pair for pair in harness.ledger.plans if pair[0].startswith(f"{load.company.name}-")}
    harness.ledger.new_round()
    await harness.at_rest()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found

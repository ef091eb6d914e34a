"""The availability figure: reads and writes that fail while one of two replicas is killed again and again.

The client is a small one: it takes the replicas in turn, and after a connection error or a 503 it asks once more, the
other replica, with the same Idempotency-Key. What fails then is counted as failed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from shared.schemas.topics import SERVICES
from tests.faults.disturbing import to_its_end
from tests.faults.harness import RealHarness
from tests.faults.invariants import violations
from tests.faults.load import Load
from tests.faults.plan import ELSEWHERE, Company, Sizes, company
from tests.faults.rounds import retire
from tests.support.stacks import Replica

TARGET: Final = 99.99
_CLIENTS: Final = 8
_WAIT_SECONDS: Final = 10
_REST: Final = (0.2, 1.0)
_AWAY: Final = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Figure:
    """Requests by kind (read, write): how many there were, were asked a second time, and failed."""

    asked: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def available(self, kind: str) -> float:
        """The share that succeeded, in percent."""
        return 100.0 * (1 - self.failed[kind] / max(1, self.asked[kind]))

    def missed(self) -> list[str]:
        """Which kinds of request were available less than they should be."""
        return [
            f"{kind}s were available {self.available(kind):.4f} %, the target is {TARGET} %"
            for kind in self.asked
            if self.available(kind) < TARGET
        ]

    def __str__(self) -> str:
        parts = [
            f"{kind}s {self.available(kind):.4f} % ({self.failed[kind]} of {self.asked[kind]} failed, "
            f"{self.again[kind]} were asked twice)"
            for kind in ("read", "write")
        ]
        return f"{'; '.join(parts)}; {sum(self.kills.values())} kills in {self.seconds:.0f} s"


@dataclass
class _Client:
    """One caller; ``_ask`` is the whole of its retrying."""

    harness: RealHarness
    session: aiohttp.ClientSession
    figure: Figure

    async def ask(self, kind: str, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> Any:
        """The answer's JSON; None when it failed, also when asked again."""
        self.figure.asked[kind] += 1
        headers = {"Idempotency-Key": key, "X-Epic-User": "faults"} if key else {}
        found = ""
        for attempt, url in enumerate(self._addresses(path)):
            self.figure.again[kind] += attempt
            try:
                async with self.session.request(method, url, json=body, headers=headers) as answer:
                    if answer.status == 200:
                        return await answer.json()
                    found += f" {answer.status} {(await answer.text())[:200]}"
                    if answer.status != 503:
                        break
            except _AWAY as error:
                found += f" {url} {type(error).__name__}"
        self.figure.failed[kind] += 1
        self.figure.failures.append(f"{method} {path}:{found}"[:300])
        return None

    def _addresses(self, path: str) -> tuple[str, str]:
        """The replica whose turn it is, and the other."""
        first = other = self.harness.stack.url(path)
        while other == first:  # other callers take turns meanwhile
            other = self.harness.stack.url(path)
        return first, other


async def measure(harness: RealHarness, seed: int, seconds: float, *, patience: float = _WAIT_SECONDS) -> Figure:
    """Reads and writes for so many seconds; in the end every acknowledged write must be in the stores.

    ``patience``: for how long a caller waits for one answer.
    """
    figure, here = Figure(), company(f"{seed} availability", f"a{seed}", Sizes(6, 1))
    timeout = aiohttp.ClientTimeout(total=patience, sock_connect=patience / 5)
    began = time.monotonic()
    async with aiohttp.ClientSession(timeout=timeout) as session:
        client = _Client(harness, session, figure)
        await _prepare(harness, here)
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_kill_one_by_one(harness, seed, figure, until))
            for number in range(_CLIENTS):
                tasks.create_task(_call(client, here, f"{seed} {number}", until))
    figure.seconds = time.monotonic() - began
    await harness.all_back()
    picture = await harness.picture_at_rest()
    figure.violations += violations(picture, harness.ledger) + harness.ended() + harness.ledger.take_strange()
    await retire(harness, Load(f"{seed}", here, Sizes(), harness.clients))
    return figure


async def _prepare(harness: RealHarness, here: Company) -> None:
    """Registers the company; all that will be read is there when this returns, in every service."""
    http, ledger = harness.clients.http, harness.ledger
    for event in here.events:
        await http.write("POST", "/event", {**event.body(), "IsActive": True}, event.id)
    for service in here.services:
        body = {**service.body(), "ServiceType": "Registered"}
        await http.write("POST", "/service", body, service.id)
        for fleet in service.fleets:
            await http.write("POST", "/fleet", fleet.body(), fleet.id)
            for event in here.events:
                closed = fleet.region == ELSEWHERE
                await http.until(f"/eventplan/{event.id}/{fleet.id}", lambda plan, c=closed: ("Closed" in plan) == c)
                await http.until(f"/hotw/inputs/{event.id}/{fleet.id}", lambda seen: seen["Fleet"] and seen["Event"])
                ledger.perhaps.add((event.id, fleet.id))


async def _call(client: _Client, here: Company, name: str, until: float) -> None:
    """Reads and writes in turn, of every service."""
    rng, marks = random.Random(name), itertools.count()
    event = here.events[0].id
    planned = [fleet for fleet in here.fleets if fleet.region != ELSEWHERE]  # nobody sets a closed plan's milestones
    while time.monotonic() < until:
        fleet, service = rng.choice(planned).id, rng.choice(here.services).id
        plan = f"/eventplan/{event}/{fleet}"
        known = f"/hotw/inputs/{event}/{fleet}"
        for path in (f"/fleet/{fleet}", f"/event/{event}", plan, known, f"/service/{service}", "/ticket?Limit=5"):
            await client.ask("read", "GET", path)
        mark = f"{name}-{next(marks)}".replace(" ", "-")
        ticket = {"TicketId": f"T{mark}", "Title": mark}
        await _write(client, ("notify_svc", "ticket"), f"T{mark}", "POST", "/ticket", mark, ticket)
        await _write(
            client, ("fleet_svc", "service"), service, "PUT", f"/service/{service}", mark, {"ServiceTier": mark}
        )
        await _write(client, ("event_svc", "event"), event, "PUT", f"/event/{event}", mark, {"EventName": mark})
        milestone = {
            "EventMilestoneId": "UpdateThrottlingInSDC",
            "MilestoneCompletionStatus": "InProgress",
            "MilestoneMessage": mark,
        }
        owner = ("eventplan_svc", "eventplan")
        await _write(client, owner, f"{event}#{fleet}", "PUT", f"{plan}/status", mark, milestone)


async def _write(
    client: _Client, owner: tuple[str, str], key: str, method: str, path: str, mark: str, body: dict[str, Any]
) -> None:
    marker = f"{owner[1]}-{mark}"
    answer = await client.ask("write", method, path, {**body, "AuditMetadata": {"Message": marker}}, marker)
    if answer is not None:
        client.harness.ledger.acknowledged(marker, *owner, key, answer["VersionId"])


async def _kill_one_by_one(harness: RealHarness, seed: int, figure: Figure, until: float) -> None:
    """Kills one replica after the other, each when the last one is back; whoever it killed is up again when it ends."""
    rng = random.Random(f"{seed} kills")
    while time.monotonic() < until:
        service = rng.choice(SERVICES)
        replica = rng.choice(harness.stack.replicas[service])
        await to_its_end(_kill(replica, rng.uniform(*_REST)))
        figure.kills[service] += 1
        await replica.ready()
        await asyncio.sleep(rng.uniform(*_REST))


async def _kill(replica: Replica, away: float) -> None:
    await asyncio.to_thread(replica.kill)
    await asyncio.sleep(away)
    replica.start()

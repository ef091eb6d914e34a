"""A harness: servers of its own, five services in two replicas each, and what watches and disturbs them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.faults.disturbing import Disturber
from tests.faults.doors import CommandDoor, HttpDoor
from tests.faults.evidence import Evidence, evidence
from tests.faults.from_servers import picture_of_servers
from tests.faults.ledger import Ledger
from tests.faults.load import Clients
from tests.faults.picture import Picture
from tests.faults.plan import Disturbance, Sizes, disturbances
from tests.faults.quiet import Quiet
from tests.faults.topics import Topics, groups_of_epic
from tests.support import servers
from tests.support.stacks import RealStack, running

BEGINS = "2024-06-15T23:58:30Z"
"""Midnight comes in one of the first rounds: colours turn, and a day of the trend is made, under faults too."""
ENVIRONMENT = {"EPIC_MAIL_DOMAIN": "example.com", "PYTHONUNBUFFERED": "1"}


@dataclass
class RealHarness:
    """Five services in two replicas each on real servers; see ``rounds.Harness``."""

    stack: RealStack
    ledger: Ledger
    clients: Clients
    disturber: Disturber
    topics: Topics
    quiet: Quiet
    groups: dict[str, tuple[str, ...]]
    evidence: Evidence

    @property
    def counts(self) -> Counter[str]:
        return self.disturber.counts

    def plan(self, seed: str, sizes: Sizes) -> list[Disturbance]:
        return disturbances(seed, sizes, self.stack.replicas_each)

    async def disturb(self, planned: Sequence[Disturbance]) -> None:
        await self.disturber.run(planned)

    async def all_back(self) -> None:
        await self.disturber.all_back()

    def ended(self) -> list[str]:
        return self.disturber.ended()

    async def at_rest(self, *, seconds: float = 400, mails_too: bool = False) -> None:
        await self.quiet.wait(seconds, mails_too=mails_too)

    async def picture(self) -> Picture:
        """All that is stored and published now, from the stores, also when nothing runs any more."""
        mongo, mysql = self.stack.servers["mongo"].url, self.stack.mysql
        picture, published = await asyncio.gather(
            asyncio.to_thread(picture_of_servers, mongo, mysql), self.topics.read()
        )
        picture.published, picture.groups = published, self.groups
        return picture

    async def picture_at_rest(self, *, mails_too: bool = False) -> Picture:
        while True:
            await self.at_rest(mails_too=mails_too)
            picture = await self.picture()
            if await self.quiet.lasts():
                return picture


@asynccontextmanager
async def real_harness(*, replicas_each: int = 2) -> AsyncIterator[RealHarness]:
    """Starts a harness, and stops all of it; the services' logs stay when there is something to keep them for."""
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(evidence("epic-faults-", "The services' logs"))
        started = {}
        for name, make in (("kafka", servers.kafka), ("mongo", servers.mongo), ("mysql", servers.mysql)):
            server = make()
            stack.callback(server.remove)
            started[name] = await asyncio.to_thread(server.start)
        real = RealStack(
            kept.folder,
            started,
            started["mysql"].url,
            now=BEGINS,
            environment=dict(ENVIRONMENT),
            replicas_each=replicas_each,
        )
        await stack.enter_async_context(running(real))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60, sock_connect=5))
        )
        ledger, topics, groups = Ledger(), Topics(real.kafka), await groups_of_epic()
        stack.push_async_callback(topics.stop)
        commands = CommandDoor(real.kafka, ledger)
        await commands.start()
        stack.push_async_callback(commands.stop)
        quiet = Quiet(topics, groups, started["mongo"].url, real.mysql)
        stack.callback(quiet.close)
        clients = Clients(HttpDoor(real, session, ledger), commands, ledger)
        harness = RealHarness(real, ledger, clients, Disturber(real), topics, quiet, groups, kept)
        yield harness

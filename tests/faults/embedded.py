"""``epic up`` as a harness: one process on a data folder, killed again and again, its files read while dead."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.faults.disturbing import to_its_end
from tests.faults.doors import Headers, HttpDoor, Stuck, headers_of, patience
from tests.faults.evidence import Evidence, evidence
from tests.faults.from_files import picture_of_files, published_in_folder
from tests.faults.ledger import Command, Ledger
from tests.faults.load import Clients
from tests.faults.picture import Picture
from tests.faults.plan import Disturbance, Sizes
from tests.faults.quiet import unfinished
from tests.faults.topics import groups_of_epic
from tests.support.stacks import Embedded

_AWAY: Final = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class EmbeddedRoutes:
    """Messages by ``POST /embedded/produce``; asked again, a command that was lost with its process comes again."""

    stack: Embedded
    session: aiohttp.ClientSession
    ledger: Ledger
    produced: int = 0
    any_record: bool = False

    async def ask(self, topic: str, kind: str, key: str, body: dict[str, Any], command_id: str) -> dict[str, Any]:
        command = Command(command_id, topic, kind, key, body)
        self.ledger.commands[command_id] = command
        async with patience(f"the answer of {kind} {command_id}"):
            first, second = await asyncio.gather(*(self._answer(command) for _ in range(2)))
        if first != second:
            self.ledger.strange.append(f"{kind} {command_id} was answered {first} and {second}")
        command.answer = first
        return first

    async def _answer(self, command: Command) -> dict[str, Any]:
        while True:
            body = json.dumps(command.body).encode()
            answer = await self._post(command.topic, command.key.encode(), body, headers_of(command), AnswerWithin=20)
            if answer["Answer"] is not None:
                return dict(answer["Answer"])

    async def deliver(self, command: Command, *, elsewhere: bool = False) -> None:
        await self.produce(command.topic, command.key.encode(), json.dumps(command.body).encode(), headers_of(command))

    async def produce(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        async with patience(f"a record for {topic}"):
            await self._post(topic, key or b"", value or b"", headers)

    async def _post(self, topic: str, key: bytes, value: bytes, headers: Headers, **more: Any) -> dict[str, Any]:
        coded = [[name, base64.b64encode(str(item).encode()).decode()] for name, item in headers]
        wire = {
            "Topic": topic,
            "Key": key.decode(),
            "Value": base64.b64encode(value).decode(),
            "Headers": coded,
            **more,
        }
        while True:
            try:
                async with self.session.post(self.stack.url("/embedded/produce"), json=wire) as answer:
                    if answer.status == 200:
                        self.produced += 1
                        return dict(await answer.json())
                    if answer.status != 503:
                        raise AssertionError(f"/embedded/produce: {answer.status} {await answer.text()}")
            except _AWAY:
                pass
            await asyncio.sleep(random.uniform(0.05, 0.3))


@dataclass
class EmbeddedHarness:
    """See ``rounds.Harness``. Every picture is taken of the files of a process that was killed a moment before."""

    stack: Embedded
    session: aiohttp.ClientSession
    ledger: Ledger
    clients: Clients
    groups: dict[str, tuple[str, ...]]
    evidence: Evidence
    counts: Counter[str] = field(default_factory=Counter)

    def plan(self, seed: str, sizes: Sizes) -> list[Disturbance]:
        """Kills at random moments, some of them while it is still starting."""
        rng = random.Random(f"{seed} disturbances")
        kills = [
            Disturbance(rng.uniform(0.5, sizes.window), "kill", ("epic up",), 0.0) for _ in range(sizes.disturbances)
        ]
        return sorted(kills, key=lambda one: one.at)

    async def disturb(self, planned: Sequence[Disturbance]) -> None:
        began = time.monotonic()
        for one in planned:
            await asyncio.sleep(max(0.0, began + one.at - time.monotonic()))
            await to_its_end(self._kill_and_start())

    async def _kill_and_start(self) -> None:
        await self._kill()
        self.stack.replica.start()

    async def _kill(self) -> None:
        process = self.stack.replica.process
        assert process is not None
        self.ledger.strange += self.ended()
        await asyncio.to_thread(self.stack.replica.kill)
        self.counts["kill epic up"] += 1

    async def all_back(self) -> None:
        await self.stack.replica.ready()

    def ended(self) -> list[str]:
        process = self.stack.replica.process
        if process is None or process.poll() is None:
            return []
        return [f"epic up ended by itself with {process.returncode}:\n{self.stack.replica.tail(15)}"]

    async def at_rest(self, *, seconds: float = 400, mails_too: bool = False) -> None:
        deadline = time.monotonic() + seconds
        before: dict[str, str] | None = None
        while True:
            waiting, stood = await self._look(mails_too=mails_too)
            if not waiting and stood == before:
                return
            before = stood if not waiting else None
            if time.monotonic() > deadline:
                raise Stuck(f"not quiet after {seconds:.0f} s: {'; '.join(waiting[:20])}")
            await asyncio.sleep(0.1)

    async def _look(self, *, mails_too: bool) -> tuple[list[str], dict[str, str]]:
        """What is still to be done, and all that is stored."""
        waiting = await self.clients.http.read("/embedded/waiting")
        if any(waiting.values()):
            return [f"{name}: {count}" for name, count in waiting.items() if count], {}
        picture = await asyncio.to_thread(picture_of_files, self.folder)
        return unfinished(picture, mails_too=mails_too), picture.state()

    @property
    def folder(self) -> Path:
        return self.stack.folder / "data"

    async def picture_at_rest(self, *, mails_too: bool = False) -> Picture:
        await self.at_rest(mails_too=mails_too)
        await self._kill()
        picture = await asyncio.to_thread(picture_of_files, self.folder)
        picture.published, picture.groups = await published_in_folder(self.folder), self.groups
        self.stack.replica.start()
        await self.all_back()
        return picture


@asynccontextmanager
async def embedded_harness() -> AsyncIterator[EmbeddedHarness]:
    """Starts ``epic up`` on an empty folder; the folder stays when there is something to keep it for."""
    async with AsyncExitStack() as life:
        kept = life.enter_context(evidence("epic-faults-up-", "The data folder and the log"))
        stack = Embedded(kept.folder, environment={"EPIC_MAIL_DOMAIN": "example.com"})
        life.push_async_callback(stack.stop)
        await stack.start()
        session = await life.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60, sock_connect=5))
        )
        ledger = Ledger()
        clients = Clients(HttpDoor(stack, session, ledger), EmbeddedRoutes(stack, session, ledger), ledger)
        harness = EmbeddedHarness(stack, session, ledger, clients, await groups_of_epic(), kept)
        yield harness

"""The faults: what is killed, stopped or frozen at its planned time, and that all of it is back at the end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.faults.plan import Disturbance
from tests.support.servers import Server
from tests.support.stacks import RealStack, Replica

_ORDERLY_SECONDS: Final = 3


async def to_its_end(fault: Coroutine[Any, Any, None]) -> None:
    """Carries out a fault; who is cancelled meanwhile waits for its end, so that what it took away is back."""
    going = asyncio.ensure_future(fault)
    try:
        await asyncio.shield(going)
    finally:
        await asyncio.wait({going})


@dataclass
class Disturber:
    """Disturbs one stack; two faults of one target wait for each other. ``counts``: what was done, over all rounds."""

    stack: RealStack
    counts: Counter[str] = field(default_factory=Counter)
    _ended: list[str] = field(default_factory=list)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def run(self, planned: Iterable[Disturbance]) -> None:
        """Returns when the last one is over; what it disturbed may still be on its way back."""
        async with asyncio.TaskGroup() as tasks:
            for one in planned:
                tasks.create_task(self._when_due(one))

    async def _when_due(self, one: Disturbance) -> None:
        await asyncio.sleep(one.at)
        servers: Mapping[str, Server] = self.stack.servers
        async with asyncio.TaskGroup() as tasks:
            for name in one.targets:
                if name in servers:
                    fault = partial(self._server, one, servers[name])
                else:
                    fault = partial(self._replica, one, name)
                tasks.create_task(self._in_turn(name, fault))

    async def _in_turn(self, name: str, fault: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._turns.setdefault(name, asyncio.Lock()):
            await to_its_end(fault())

    async def _server(self, one: Disturbance, server: Server) -> None:
        await asyncio.to_thread(server.kill if one.kind == "kill" else partial(server.stop, _ORDERLY_SECONDS))
        self.counts[f"{one.kind} {one.targets[0]}"] += 1
        await asyncio.sleep(one.away)
        await asyncio.to_thread(server.start_again)

    async def _replica(self, one: Disturbance, name: str) -> None:
        replica = self.replicas()[name]
        self._look(name, replica)
        assert replica.process is not None
        if one.kind == "freeze":
            replica.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(one.away)
            replica.process.send_signal(signal.SIGCONT)
        else:
            await asyncio.to_thread(replica.kill)
            await asyncio.sleep(one.away)
            replica.start()
        self.counts[f"{one.kind} {name.partition('.')[0]}"] += 1

    def replicas(self) -> dict[str, Replica]:
        return {f"{service}.{n}": one for service, group in self.stack.replicas.items() for n, one in enumerate(group)}

    def _look(self, name: str, replica: Replica) -> None:
        """A process that ended by itself is a finding, and is started again."""
        if replica.process is not None and replica.process.poll() is not None:
            self._ended.append(f"{name} ended by itself with {replica.process.returncode}:\n{replica.tail(15)}")
            replica.start()

    def ended(self) -> list[str]:
        """What was found to have ended by itself since this was asked last."""
        for name, replica in self.replicas().items():
            self._look(name, replica)
        ended, self._ended = self._ended, []
        return ended

    async def all_back(self, seconds: float = 300) -> None:
        """Returns when every replica is ready."""
        for name, replica in self.replicas().items():
            self._look(name, replica)
        await asyncio.gather(*(replica.ready(seconds) for replica in self.stack.each()))

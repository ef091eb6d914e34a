"""What one bench stands on: real servers, services and floors as processes, a folder; all gone when it leaves."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from bench.load import Load
from bench.process import ROOT, Process
from bench.raw.mongo import connected
from bench.raw.mysql import Sql
from bench.rounds import Scale
from tests.support import servers
from tests.support.servers import Server

T = TypeVar("T")
_RESULTS: Final = ROOT / "bench" / "results"  # on the disk of the checkout: a temporary folder may be memory
NOW: Final = "2024-06-15T09:00:00Z"
"""The instant EPIC's clock starts from: within the order window of the sample company's event."""


class Servers:
    """The addresses of one set of real servers, each there if it was asked for."""

    def __init__(self, running: Mapping[str, Server]) -> None:
        self._running = running

    @property
    def kafka(self) -> str:
        return self._running["kafka"].url

    @property
    def mongo(self) -> str:
        return self._running["mongo"].url

    @property
    def mysql(self) -> str:
        return self._running["mysql"].url

    async def versions(self) -> dict[str, str]:
        """What each says it is."""
        found = {}
        if "mongo" in self._running:
            async with connected(self.mongo, "admin") as database:
                found["MongoDB"] = str((await database.client.server_info())["version"])
        if "mysql" in self._running:
            async with Sql.on(self.mysql) as sql:
                found["MySQL"] = str((await sql.run("SELECT VERSION()"))[0][0])
        return found

    def settings(self) -> dict[str, str]:
        """How a service is told of them."""
        names = {"kafka": "EPIC_KAFKA_BOOTSTRAP_SERVERS", "mongo": "EPIC_MONGO_URL", "mysql": "EPIC_MYSQL_URL"}
        return {"EPIC_TRANSPORT": "kafka"} | {names[kind]: server.url for kind, server in self._running.items()}


class Stage:
    """An async context, one a bench. Whatever was started in it ends with it, the last first, also when interrupted."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._sets: list[Servers] = []
        self._processes: list[Process] = []
        self._stack = AsyncExitStack()
        self._started = 0

    async def __aenter__(self) -> Self:
        _RESULTS.mkdir(exist_ok=True)
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=_RESULTS)))
        self._anchor = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def servers(self, *kinds: str) -> Servers:
        """New servers, started at once together: of ``kafka``, ``mongo``, ``mysql``."""
        made = {kind: getattr(servers, kind)(lasting=not self.scale.quick) for kind in kinds}
        starting = [asyncio.ensure_future(asyncio.to_thread(server.start)) for server in made.values()]

        async def remove() -> None:
            await asyncio.wait(starting)  # a thread that starts a container cannot be broken off
            await asyncio.gather(*(asyncio.to_thread(server.remove) for server in made.values()))

        self._stack.push_async_callback(remove)
        await asyncio.gather(*starting)
        self._sets.append(Servers(made))
        return self._sets[-1]

    async def versions(self) -> dict[str, str]:
        """What the servers in use say they are."""
        return {kind: version for one in self._sets[:1] for kind, version in (await one.versions()).items()}

    async def service(self, name: str, on: Servers, **settings: str) -> Process:
        """One service as it is shipped: ``epic serve``, all middleware, INFO to a file; returns when it is ready."""
        port = servers.free_port()
        environment = {
            **on.settings(),
            "EPIC_HTTP_PORT": str(port),
            "EPIC_DATA_DIR": str(self._own(name)),
            "EPIC_NOW": f"{NOW}@{self._anchor}",
            "EPIC_MAIL_DOMAIN": "example.com",
            "EPIC_LOG_LEVEL": "info",
            **settings,
        }
        process = Process(["epic", "serve", name], self._own(name).with_suffix(".log"), port, environment)
        await self.run(process)
        return process

    async def floor(self, *arguments: str) -> Process:
        """A floor that answers HTTP, as a process like a service: ``python -m bench.floors.…``, its port appended."""
        port = servers.free_port()
        process = Process([*arguments, "--port", str(port)], self._own("floor").with_suffix(".log"), port)
        await self.run(process, "/ready")
        return process

    async def run(self, process: Process, ready: str = "/health/ready") -> None:
        """Starts a process and waits until it answers; it is stopped with the stage, if not before."""
        process.start()
        self._processes.append(process)
        self._stack.push_async_callback(process.stop)
        await process.ready(ready)

    def last_words(self) -> str:
        """What processes that ended by themselves printed at the end: why a bench could not run."""
        return "\n".join(f"{' '.join(one.arguments)}:\n{one.tail()}" for one in self._processes if one.has_ended())

    async def load(self) -> Load:
        """A process that puts load on HTTP servers."""
        return await self.enter(Load())

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enters a context that ends with the stage."""
        return await self._stack.enter_async_context(context)

    def _own(self, name: str) -> Path:
        self._started += 1
        return self.folder / f"{name}.{self._started}"

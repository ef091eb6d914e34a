"""How a whole EPIC is run for a test: embedded in one process, or five services on real servers, as processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import httpx

from shared.schemas.topics import SERVICES
from tests.support import servers
from tests.support.servers import Server
from tests.support.waiting import eventually

_OWNERS = {
    "bulkjobs": "fleet_svc",
    "service": "fleet_svc",
    "fleet": "fleet_svc",
    "projection": "fleet_svc",
    "event": "event_svc",
    "eventprofile": "event_svc",
    "eventplan": "eventplan_svc",
    "hotw": "hotw_svc",
    "ticket": "notify_svc",
    "notification": "notify_svc",
}
ROOT = Path(__file__).parents[2]
_READINESS = re.compile(r"^/event/[^/]+/(dashboard|readiness|trend|changes)\b")


class WholeStack(Protocol):
    """A whole EPIC that answers HTTP; ``url`` gives the address of a path, whoever owns it."""

    def url(self, path: str) -> str: ...


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
    return {**kept, "EPIC_LOG_FORMAT": "json", "EPIC_LOG_LEVEL": "INFO", **extra}


@dataclass
class Replica:
    """One process of EPIC, its log kept for a failing test to show."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    module: ClassVar[str] = "epic"

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                env=_environment(self.environment),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
            )

    async def ready(self, seconds: float = 300) -> None:
        """Returns when /health/ready answers 200; fails at once, with the log's end, when the process has ended."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient() as client:
            while True:
                if self.process is None or self.process.poll() is not None:
                    raise AssertionError(f"{self.arguments} ended:\n{self.tail()}")
                try:
                    answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=30)
                    if answer.status_code == 200:
                        return
                    seen = answer.text
                except httpx.HTTPError as error:
                    seen = repr(error)
                if time.monotonic() > deadline:
                    raise AssertionError(f"{self.arguments} not ready in {seconds:.0f} s: {seen}\n{self.tail()}")
                await asyncio.sleep(0.1)

    @property
    def folder(self) -> Path:
        """Its data folder."""
        return Path(self.environment["EPIC_DATA_DIR"])

    def kill(self) -> None:
        """kill -9: no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 180) -> int:
        """SIGTERM, and the exit code."""
        self.ask_to_end()
        return self.ended(seconds)

    def ask_to_end(self) -> None:
        """SIGTERM."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 180) -> int:
        """The exit code, once it has ended; one that does not is killed, so that it is in nobody's way, and raises."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Embedded:
    """``epic up``: all five in one process on a data folder."""

    folder: Path
    now: str = "2024-06-15T09:00:00Z"
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=servers.free_port)

    def __post_init__(self) -> None:
        self.replica = Replica(
            ["up", "--data", str(self.folder / "data"), "--port", str(self.port), "--now", self.now],
            self.environment,
            self.port,
            self.folder / "epic.log",
        )

    async def start(self) -> None:
        self.replica.start()
        await self.replica.ready()

    async def stop(self) -> None:
        if self.replica.process and self.replica.process.poll() is None:
            await asyncio.to_thread(self.replica.stop)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass
class RealStack:
    """``epic serve`` five times (or more) on real Kafka, MongoDB and MySQL."""

    folder: Path
    servers: Mapping[str, Server]
    mysql: str
    now: str = "2024-06-15T09:00:00Z"
    environment: dict[str, str] = field(default_factory=dict)
    replicas_each: int = 1

    def __post_init__(self) -> None:
        self._turn = 0
        anchor = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        common = {
            "EPIC_TRANSPORT": "kafka",
            "EPIC_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "EPIC_MONGO_URL": self.servers["mongo"].url,
            "EPIC_MYSQL_URL": self.mysql,
            "EPIC_NOW": f"{self.now}@{anchor}",
            "EPIC_MAIL_DOMAIN": "example.com",
            **self.environment,
        }
        self.replicas: dict[str, list[Replica]] = {}
        for service in SERVICES:
            for number in range(self.replicas_each):
                port = servers.free_port()
                log = self.folder / f"{service}.{number}.log"
                environment = {
                    **common,
                    "EPIC_HTTP_PORT": str(port),
                    "EPIC_DATA_DIR": str(self.folder / f"{service}.{number}"),
                }
                self.replicas.setdefault(service, []).append(Replica(["serve", service], environment, port, log))

    @property
    def kafka(self) -> str:
        return self.servers["kafka"].url

    def each(self) -> list[Replica]:
        return [replica for group in self.replicas.values() for replica in group]

    async def start(self) -> None:
        for replica in self.each():
            replica.start()
        await asyncio.gather(*(replica.ready() for replica in self.each()))

    async def stop(self) -> None:
        going = [replica for replica in self.each() if replica.process and replica.process.poll() is None]
        for replica in going:
            replica.ask_to_end()
        ended = await asyncio.gather(*(asyncio.to_thread(replica.ended) for replica in going), return_exceptions=True)
        unending = [error for error in ended if isinstance(error, BaseException)]
        assert not unending, unending

    def url(self, path: str) -> str:
        """The next replica in turn of the service a path belongs to, as a gateway would choose."""
        owner = "eventplan_svc" if _READINESS.match(path) else _OWNERS[path.split("/")[1].partition("?")[0]]
        self._turn += 1
        group = self.replicas[owner]
        return f"http://127.0.0.1:{group[self._turn % len(group)].port}{path}"


@dataclass
class Composed:
    """One project of the compose file, on ports of its own."""

    name: str
    port: int
    kafka_port: int
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "EPIC_PORT": str(self.port),
            "KAFKA_PORT": str(self.kafka_port),
            "EPIC_NOW": "2024-06-15T09:00:00Z",
            "EPIC_MAIL_DOMAIN": "example.com",
            **self.settings,
        }

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            logs = subprocess.run(
                ["docker", "compose", "-p", self.name, "logs", "--tail", "15"],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            raise AssertionError(f"docker compose {arguments}:\n{done.stderr[-3000:]}\n{logs.stdout[-6000:]}")
        return done.stdout

    def epic(self, *arguments: str) -> str:
        """The epic command against the composed stack, as a person calls it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
        environment |= {
            "EPIC_TRANSPORT": "kafka",
            "EPIC_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka_port}",
        }
        done = subprocess.run(
            [sys.executable, "-m", "epic", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"epic {arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def ready(self, http: httpx.AsyncClient) -> None:
        """Returns when every service behind the gateway is ready."""
        for service in SERVICES:
            await eventually(
                lambda service=service: http.get(self.url(f"/{service}/health/ready")),  # type: ignore[misc]
                lambda answer: answer.status_code == 200,
                f"{service} is ready",
                seconds=300,
            )


@contextmanager
def composing(settings: Mapping[str, str]) -> Iterator[Composed]:
    """The compose file's stack, built and started; with its volumes gone at the end."""
    stack = Composed(f"epic-{uuid.uuid4().hex[:8]}", servers.free_port(), servers.free_port(), settings)
    try:
        stack.compose("up", "-d", "--build", "--wait", "--wait-timeout", "900")
        yield stack
    finally:
        stack.compose("down", "-v", "--timeout", "5")


@asynccontextmanager
async def running(stack: Embedded | RealStack) -> AsyncIterator[None]:
    """Starts a stack and stops all of it, also when it did not come up."""
    try:
        await stack.start()
        yield
    finally:
        await stack.stop()

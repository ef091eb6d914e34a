"""The load on an HTTP server: a process of its own that keeps connections busy and says what it saw.

``python -m bench.load`` takes a job a line on its input and answers each with one line; it ends with its input.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import orjson
import uvloop

from bench.http import Connection, encode
from bench.process import ROOT

_LONGEST_LINE: Final = 256 * 1024 * 1024
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request of a load."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a load came to: answers, the seconds they took, bytes of bodies, latencies in milliseconds."""

    count: int
    seconds: float
    body_bytes: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Load:
    """The process, as an async context."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.load",
            cwd=ROOT,
            limit=_LONGEST_LINE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def run(
        self,
        port: int,
        requests: Sequence[Wanted],
        *,
        connections: int,
        seconds: float | None = None,
        rate: float | None = None,
    ) -> Seen:
        """Connection n asks requests n, n + connections, … in order: once, or round and round for some seconds.

        ``rate``: so many a second in all, evenly spaced. RuntimeError when an answer is no 2xx.
        """
        job = {
            "port": port,
            "connections": connections,
            "seconds": seconds,
            "rate": rate,
            "requests": [
                base64.b64encode(encode(one.method, one.path, dict(one.headers), one.body)).decode() for one in requests
            ],
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the load's process has no pipes")
        stdin.write(orjson.dumps(job) + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise RuntimeError("the load's process ended")
        answer = orjson.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the load on port {port} failed: {answer['error']}")
        return Seen(**answer)


class _Worker:
    """One job: its connections, and what they have seen."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._port = int(job["port"])
        self._connections = int(job["connections"])
        self._seconds: float | None = job["seconds"]
        self._rate: float | None = job["rate"]
        self._requests = [base64.b64decode(text) for text in job["requests"]]
        self._waits: list[float] = []
        self._bytes = 0
        self._bad: Counter[str] = Counter()

    async def run(self) -> dict[str, Any]:
        opened = [await Connection.open(self._port) for _ in range(self._connections)]
        gc.collect()
        began = time.perf_counter()
        try:
            await asyncio.gather(*(self._work(number, one, began) for number, one in enumerate(opened)))
        finally:
            for connection in opened:
                connection.close()
        seconds = time.perf_counter() - began
        if self._bad:
            return {"error": "; ".join(f"{count} × {what}" for what, count in self._bad.most_common(3))}
        centiles = statistics.quantiles(self._waits, n=100) if len(self._waits) > 1 else self._waits * 99
        p50, p99 = centiles[49] * 1000, centiles[98] * 1000
        return asdict(Seen(len(self._waits), seconds, self._bytes, p50, p99))

    async def _work(self, number: int, connection: Connection, began: float) -> None:
        waits, clock = self._waits, time.perf_counter
        until = None if self._seconds is None else began + self._seconds
        for turn, request in enumerate(self._mine(number)):
            sent = clock()
            if self._rate is not None:
                due = began + (turn * self._connections + number) / self._rate
                if due > sent:
                    await asyncio.sleep(due - sent)
                sent = due
            if until is not None and clock() >= until:
                return
            status, body = await connection.ask(request)
            waits.append(clock() - sent)
            self._bytes += len(body)
            if not 200 <= status < 300:
                self._bad[f"{status} {body[:_SHOWN].decode(errors='replace')}"] += 1

    def _mine(self, number: int) -> Iterator[bytes]:
        mine = self._requests[number % len(self._requests) :: self._connections]
        return iter(mine) if self._seconds is None else itertools.cycle(mine)


async def _serve() -> None:
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            answer = await _Worker(orjson.loads(line)).run()
        except (OSError, EOFError) as error:
            answer = {"error": repr(error)}
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_serve())

"""Fleet_svc as the HTTP measurements use it: its services made over HTTP, and a bare floor beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from bench.company import FLEETS_EACH, Company
from bench.http import call_json
from bench.load import Load, Wanted
from bench.process import Process
from bench.rounds import Scale
from bench.stage import Servers, Stage

_AT_ONCE = 32


class Serving:
    """The service with ``services`` services in it, and a process that puts load on it."""

    def __init__(self, on: Servers, process: Process, load: Load, ids: list[str]) -> None:
        self.on = on
        self.process = process
        self.load = load
        self.ids = ids

    @classmethod
    async def begin(cls, stage: Stage, services: int) -> Serving:
        on = await stage.servers("kafka", "mongo")
        process, load = await stage.service("fleet_svc", on), await stage.load()
        rows = Company(services * FLEETS_EACH).rows["Service"]
        made = [Wanted("POST", "/service", orjson.dumps(row)) for row in rows]
        await load.run(process.port, made, connections=_AT_ONCE)
        return cls(on, process, load, sorted(row["ServiceId"] for row in rows))

    async def change(self, service_id: str, versions: int) -> None:
        """Writes one service until it has so many versions."""
        path = f"/service/{service_id}"
        changes = [Wanted("PUT", path, orjson.dumps({"LeaderAlias": f"leader{n}"})) for n in range(1, versions)]
        if changes:
            await self.load.run(self.process.port, changes, connections=1)

    async def view(self, service_id: str) -> dict[str, Any]:
        """The service as it is read."""
        found: dict[str, Any] = await call_json(self.process.port, "GET", f"/service/{service_id}")
        return found


def loaded(
    scale: Scale, load: Load, port: int, requests: Sequence[Wanted], connections: int, seconds: float
) -> Callable[[], Awaitable[dict[str, float]]]:
    """A side that is asked these requests round and round: how many a second, and how long one takes (ms)."""

    async def measured() -> dict[str, float]:
        seen = await load.run(port, requests, connections=connections, seconds=scale.seconds(seconds))
        return {"rate": seen.rate, "p50": seen.p50}

    return measured

"""Measures how long a command takes to its event: produced to ``fleet.commands`` → ``service.updated`` consumed.

On an idle topic (one at a time, a pause between) and at 200 a second, evenly spaced; each update is of another
service, under the version that ``ce_ifmatch`` names. The floor is ``bench.floors.loop``: a process with an aiokafka
loop that does one conditional update and one send a record. fleet_svc does that, keeps the answer and the history,
and answers on ``command.results``. The same producer and consumer measure both, in this process; latencies in
milliseconds, at 200 a second from the instant a command was due.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from bench.company import FLEETS_EACH, Company, CompanyPublisher, command
from bench.figure import Bench, Disagreement, Figure, at_most
from bench.floors.http import DATABASE
from bench.floors.loop import COMMANDS, UPDATED
from bench.process import Process
from bench.raw.kafka import consuming, create_topic, producing
from bench.raw.mongo import connected
from bench.rounds import alternate
from bench.stage import Servers, Stage
from epic.serving import quiet_collector
from shared.envelope import encode_headers
from shared.schemas.topics import TOPICS

_SERVICES: Final = 500
_SINGLES: Final = 200
_PAUSE: Final = 0.02
_RATE: Final = 200
_SECONDS: Final = 5
_PATIENCE: Final = 30.0
_CREATION_PATIENCE: Final = 300.0  # seconds; only a bench that can never begin takes so long


@dataclass
class Line:
    """One side: where its commands go and its events come; ``versions`` is what each document is at."""

    commands: str
    updated: str
    process: Process
    keys: list[str]
    versions: dict[str, int] = field(default_factory=dict)
    sent: dict[str, tuple[float, asyncio.Future[float]]] = field(default_factory=dict)
    turn: int = 0

    def next_key(self) -> str:
        self.turn += 1
        return self.keys[self.turn % len(self.keys)]


class Rig:
    """Sends one side's commands and takes the time until their events are here."""

    def __init__(self, stage: Stage, producer: Any) -> None:
        self.singles = stage.scale.of(_SINGLES)
        self.stream = int(_RATE * stage.scale.seconds(_SECONDS))
        self._producer = producer

    def side(self, line: Line) -> Callable[[], Awaitable[dict[str, float]]]:
        async def measured() -> dict[str, float]:
            await line.process.idle()
            alone = [await self._one(line) for _ in range(self.singles)]
            steady = await self._steady(line)
            return {
                f"{name} {centile}": value
                for name, waits in (("idle", alone), ("steady", steady))
                for centile, value in (("p50", statistics.median(waits)), ("p99", _p99(waits)))
            }

        return measured

    async def _one(self, line: Line) -> float:
        await asyncio.sleep(_PAUSE)
        return await self._send(line, time.perf_counter())

    async def _steady(self, line: Line) -> list[float]:
        began, under_way = time.perf_counter(), []
        for number in range(self.stream):
            due = began + number / _RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            under_way.append(asyncio.create_task(self._send(line, due)))
        return await asyncio.gather(*under_way)

    async def _send(self, line: Line, began: float) -> float:
        key = line.next_key()
        while key in line.sent:  # a side that cannot keep up makes whoever comes wait
            await asyncio.wait({line.sent[key][1]})
        version = line.versions[key]
        data = {"ServiceId": key, "LeaderAlias": f"leader{version}"}
        message = command(line.commands, "UpdateService", key, data, if_match=version)
        arrived: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        line.sent[key] = (began, arrived)
        await self._producer.send(line.commands, message.data, key.encode(), headers=encode_headers(message))
        async with asyncio.timeout(_PATIENCE):
            return await arrived


async def listen(consumer: Any, line: Line) -> None:
    """Takes events as they come, and tells whoever waits for one."""
    while True:
        for records in (await consumer.getmany(timeout_ms=60_000)).values():
            now = time.perf_counter()
            for record in records:
                key = record.key.decode()
                if key in line.sent:
                    began, arrived = line.sent.pop(key)
                    line.versions[key] += 1
                    if orjson.loads(record.value)["VersionId"] != line.versions[key]:
                        arrived.set_exception(Disagreement(f"{key} has not version {line.versions[key]}"))
                    else:
                        arrived.set_result((now - began) * 1000)


def _p99(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=100, method="inclusive")[98]


async def measure(stage: Stage) -> list[Figure]:
    on = await stage.servers("kafka", "mongo")
    epic, floor = await _lines(stage, on)
    producer = await stage.enter(producing(on.kafka))
    listeners = []
    for line in (epic, floor):
        consumer = await stage.enter(consuming(on.kafka, line.updated, at_end=True))
        listeners.append(asyncio.create_task(listen(consumer, line)))
    rig = Rig(stage, producer)
    quiet_collector()
    try:
        theirs, ours = await alternate(stage.scale, rig.side(floor), rig.side(epic))
    finally:
        for listener in listeners:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
    compared = "aiokafka loop, one conditional update, one send"
    return [
        Figure(f"command → event, {what}, {centile}", compared, "ms", ours[name], theirs[name], at_most(goal))
        for what, kind in (("idle topic", "idle"), (f"{_RATE}/s", "steady"))
        for centile, goal in (("p50", 1.5), ("p99", 2.0))
        for name in (f"{kind} {centile}",)
    ]


async def _lines(stage: Stage, on: Servers) -> tuple[Line, Line]:
    """Both sides with the same services at version 1."""
    company = Company(_SERVICES * FLEETS_EACH)
    rows = company.rows["Service"]
    keys = [row["ServiceId"] for row in rows]
    publisher = await stage.enter(CompanyPublisher(on.kafka))
    service = await stage.service("fleet_svc", on)
    await publisher.publish(command("fleet.commands", "CreateService", row["ServiceId"], row) for row in rows)
    async with connected(on.mongo, "fleet") as database, asyncio.timeout(_CREATION_PATIENCE):
        while await database["service.heads"].count_documents({}) < len(keys):
            await asyncio.sleep(0.1)
    for topic, like in ((COMMANDS, "fleet.commands"), (UPDATED, "service.updated")):
        await create_topic(on.kafka, topic, TOPICS[like].partitions)
    async with connected(on.mongo, DATABASE) as database:
        await database["documents"].create_index([("_id", 1), ("VersionId", 1)], unique=True)
        await database["documents"].insert_many([{"_id": row["ServiceId"], **row, "VersionId": 1} for row in rows])
    loop = await stage.floor("bench.floors.loop", "--mongo", on.mongo, "--kafka", on.kafka)
    return (
        Line("fleet.commands", "service.updated", service, keys, dict.fromkeys(keys, 1)),
        Line(COMMANDS, UPDATED, loop, keys, dict.fromkeys(keys, 1)),
    )


BENCH: Final = Bench("idle", "a command on an idle topic, and at 200 a second, to its event", measure)

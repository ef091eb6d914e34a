"""Measures a bulk job over 20,000 services that are there: each row an update, finished to the published event.

The floor is that of ``updates``: ``find_one``, a conditional ``update_one``, then the history's ``insert_one`` and the
event's send side by side, 32 at once, bare. fleet_svc is a process of its own, as it is shipped; its time begins with
the request whose body has the rows, and ends when the broker has the last event.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any, Final

import aiohttp
import orjson

from bench.figure import Bench, Disagreement, Figure, at_least
from bench.floors.http import DATABASE
from bench.measures.updates import Measure, by_hand
from bench.raw.kafka import Counter, create_topic, producing
from bench.raw.mongo import connected
from bench.rounds import alternate
from bench.stage import Stage
from epic.serving import quiet_collector
from shared.schemas.topics import TOPICS

_ROWS: Final = 20_000
_UPDATED: Final = "service.updated"
_FLOOR: Final = "floor.updates"
_LOOK: Final = 0.05


def by_job(http: aiohttp.ClientSession, counter: Counter, ids: list[str]) -> Measure:
    """A bulk job that changes every service, in the mode that must look whether each is there."""
    leaders = itertools.count(1)

    async def measured() -> dict[str, float]:
        leader, before = f"leader{next(leaders)}", await counter.count(_UPDATED)
        body = b"".join(orjson.dumps({"ServiceId": one, "LeaderAlias": leader}) + b"\n" for one in ids)
        began = time.perf_counter()
        job = await _ended(http, await _started(http, body, "upsert"))
        if (job["RowsDone"], job["RowsFailed"]) != (len(ids), 0):
            raise Disagreement(f"the bulk job ended with {job}")
        ended = await counter.reaches(_UPDATED, before + len(ids))
        return {"rate": len(ids) / (ended - began)}

    return measured


async def _started(http: aiohttp.ClientSession, body: bytes, mode: str) -> dict[str, Any]:
    headers = {"content-type": "application/x-ndjson"}
    async with http.post("/bulkjobs/service", data=body, headers=headers, params={"Mode": mode}) as response:
        job: dict[str, Any] = await response.json()
    return job


async def _ended(http: aiohttp.ClientSession, job: dict[str, Any]) -> dict[str, Any]:
    while job["Status"] == "Running":
        await asyncio.sleep(_LOOK)
        async with http.get(f"/bulkjobs/{job['JobId']}") as response:
            job = await response.json()
    return job


async def measure(stage: Stage) -> list[Figure]:
    on = await stage.servers("kafka", "mongo")
    rows = stage.scale.of(_ROWS, least=1_000)
    ids = [f"Service{number:06d}" for number in range(rows)]
    await create_topic(on.kafka, _FLOOR, TOPICS[_UPDATED].partitions)
    process = await stage.service("fleet_svc", on)
    database = await stage.enter(connected(on.mongo, DATABASE))
    await database["heads"].create_index([("_id", 1), ("VersionId", 1)], unique=True)
    states = [{"FleetId": one, "ServiceType": "Registered", "Owner": "owner@example.com"} for one in ids]
    await database["heads"].insert_many([{"_id": s["FleetId"], "VersionId": 1, "Count": 0, **s} for s in states])
    producer = await stage.enter(producing(on.kafka))
    counter = await stage.enter(Counter.on(on.kafka))
    http = await stage.enter(aiohttp.ClientSession(f"http://127.0.0.1:{process.port}"))
    made = [{"ServiceId": one, "ServiceType": "Registered", "Owner": "owner@example.com"} for one in ids]
    await _ended(http, await _started(http, b"\n".join(map(orjson.dumps, made)), "create"))
    quiet_collector()
    theirs, ours = await alternate(stage.scale, by_hand(database, producer, states, rows), by_job(http, counter, ids))
    floor = "find_one, conditional update, insert and send, bare"
    name = f"a bulk job of {rows} rows, each an update"
    return [Figure(name, floor, "rows/s", ours["rate"], theirs["rate"], at_least(0.7))]


BENCH: Final = Bench("bulk", "a bulk job of 20,000 updates, finished to the published event", measure)

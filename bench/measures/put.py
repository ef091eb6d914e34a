"""Measures ``PUT`` with its event over HTTP, 16 connections, under the version that If-Match names.

fleet_svc, a process of its own with all middleware and its log, against a bare FastAPI route that does one conditional
update, one insert and one send, the last two side by side. Both are asked the same; each ends when the broker has the
last event.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Final

import orjson

from bench.figure import Bench, Disagreement, Figure, at_least
from bench.floors.http import DATABASE
from bench.load import Wanted
from bench.raw.kafka import Counter, create_topic
from bench.raw.mongo import connected
from bench.rounds import Side, alternate
from bench.serving import Serving
from bench.stage import Stage
from epic.serving import quiet_collector
from shared.schemas.topics import TOPICS

_SERVICES: Final = 480
_CONNECTIONS: Final = 16
_EACH: Final = 5
_UPDATED: Final = "service.updated"
_TOPIC: Final = "floor.updated"


def _side(serving: Serving, counter: Counter, port: int, path: str, topic: str) -> Side:
    versions = itertools.count(1)

    async def measured() -> dict[str, float]:
        now = list(itertools.islice(versions, _EACH))
        wanted = [one for version in now for one in _changes(serving.ids, path, version)]
        before = await counter.count(topic)
        began = time.perf_counter()
        await serving.load.run(port, wanted, connections=_CONNECTIONS)
        ended = await counter.reaches(topic, before + len(wanted))
        return {"rate": len(wanted) / (ended - began)}

    return measured


def _changes(ids: Sequence[str], path: str, version: int) -> list[Wanted]:
    """The next version of each; as many as a multiple of the connections, so that each document is one's own."""
    body = orjson.dumps({"LeaderAlias": f"leader{version}"})
    return [Wanted("PUT", path + service_id, body, (("if-match", f'"{version}"'),)) for service_id in ids]


async def measure(stage: Stage) -> list[Figure]:
    services = stage.scale.of(_SERVICES, least=3 * _CONNECTIONS)
    serving = await Serving.begin(stage, services)
    views = [await serving.view(service_id) for service_id in serving.ids]
    await create_topic(serving.on.kafka, _TOPIC, TOPICS[_UPDATED].partitions)
    database = await stage.enter(connected(serving.on.mongo, DATABASE))
    await database["heads"].create_index([("_id", 1), ("VersionId", 1)], unique=True)
    await database["heads"].insert_many([{"_id": view["ServiceId"], **view} for view in views])
    on = ("--mongo", serving.on.mongo, "--kafka", serving.on.kafka, "--topic", _TOPIC)
    floor = await stage.floor("bench.floors.http", *on)
    counter = await stage.enter(Counter.on(serving.on.kafka))
    quiet_collector()
    theirs, ours = await alternate(
        stage.scale,
        _side(serving, counter, floor.port, "/document/", _TOPIC),
        _side(serving, counter, serving.process.port, "/service/", _UPDATED),
    )
    for service_id in serving.ids:
        view, raw = await serving.view(service_id), await database["heads"].find_one({"_id": service_id})
        if raw is None or (view["VersionId"], view["LeaderAlias"]) != (raw["VersionId"], raw["LeaderAlias"]):
            raise Disagreement(f"EPIC has {view} where the floor has {raw}")
    return [
        Figure(
            "PUT with its event",
            "conditional update, insert and send",
            "requests/s",
            ours["rate"],
            theirs["rate"],
            at_least(0.7),
            f"{_CONNECTIONS} connections",
        )
    ]


BENCH: Final = Bench("put", "PUT with its event over HTTP", measure)

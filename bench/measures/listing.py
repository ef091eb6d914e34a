"""Measures a list of a hundred documents over HTTP, at one connection and at four.

fleet_svc, a process of its own with all middleware and its log, against a bare FastAPI route that finds the first
hundred of the same documents by key, and writes them with orjson.
"""

from __future__ import annotations

from typing import Final

from bench.figure import Bench, Disagreement, Figure, at_least
from bench.floors.http import DATABASE
from bench.http import call_json
from bench.load import Wanted
from bench.raw.mongo import connected
from bench.rounds import alternate
from bench.serving import Serving, loaded
from bench.stage import Stage
from epic.serving import quiet_collector

_SERVICES: Final = 2_000
_SECONDS: Final = 3.0


async def measure(stage: Stage) -> list[Figure]:
    serving = await Serving.begin(stage, stage.scale.of(_SERVICES))
    views, cursor = [], ""
    while True:
        page = await call_json(serving.process.port, "GET", f"/service?Limit=1000{cursor}")
        views += page["Items"]
        if page["NextCursor"] is None:
            break
        cursor = f"&Cursor={page['NextCursor']}"
    async with connected(serving.on.mongo, DATABASE) as database:
        await database["documents"].insert_many([{"_id": view["ServiceId"], **view} for view in views])
    floor = await stage.floor("bench.floors.http", "--mongo", serving.on.mongo)
    epic, raw = "/service?Limit=100", "/list"
    theirs_first = (await call_json(floor.port, "GET", raw))["Items"]
    ours_first = (await call_json(serving.process.port, "GET", epic))["Items"]
    if theirs_first != [{"_id": view["ServiceId"], **view} for view in ours_first]:
        raise Disagreement("EPIC lists other documents than the floor")
    quiet_collector()
    figures = []
    for connections, label in ((4, "4 connections"), (1, "one connection")):
        theirs, ours = await alternate(
            stage.scale,
            loaded(stage.scale, serving.load, floor.port, [Wanted("GET", raw)], connections, _SECONDS),
            loaded(stage.scale, serving.load, serving.process.port, [Wanted("GET", epic)], connections, _SECONDS),
        )
        figures.append(
            Figure(
                f"list of 100, {label}",
                "the same by find + orjson",
                "pages/s",
                ours["rate"],
                theirs["rate"],
                at_least(0.8),
            )
        )
    return figures


BENCH: Final = Bench("list", "a list of 100 documents over HTTP", measure)

"""Measures ``GET`` of the latest version over HTTP, of documents with 1, 100 and 10,000 versions.

fleet_svc, a process of its own with all middleware and its log, against a bare FastAPI route with one motor
``find_one`` of the same answer, written by orjson: a process with the same server and the same options. At 16
connections and at one; 1,000 documents of 1 version and 20 of 100 are asked for in turn, of 10,000 versions there is
one.
"""

from __future__ import annotations

from typing import Final

from bench.figure import Bench, Disagreement, Figure, at_least, at_most
from bench.floors.http import DATABASE
from bench.http import call_json
from bench.load import Wanted
from bench.raw.mongo import connected
from bench.rounds import Side, alternate
from bench.serving import Serving, loaded
from bench.stage import Stage
from epic.serving import quiet_collector

_SERVICES: Final = 1_021
_OF_SOME: Final = 20
_SOME: Final = 100
_MANY: Final = 10_000
_SECONDS: Final = 3.0


async def measure(stage: Stage) -> list[Figure]:
    scale = stage.scale
    serving = await Serving.begin(stage, scale.of(_SERVICES))
    few = scale.of(_OF_SOME, least=1)
    many, some, once = serving.ids[:1], serving.ids[1 : 1 + few], serving.ids[1 + few :]
    versions = {1: once, _SOME: some, scale.of(_MANY): many}
    for count, ids in versions.items():
        for service_id in ids:
            await serving.change(service_id, count)
    floor = await stage.floor("bench.floors.http", "--mongo", serving.on.mongo)
    await _same_answers(serving, floor.port, versions)
    quiet_collector()
    await serving.process.idle()

    def side(port: int, path: str, ids: list[str], connections: int) -> Side:
        wanted = [Wanted("GET", path + service_id) for service_id in ids]
        return loaded(scale, serving.load, port, wanted, connections, _SECONDS)

    figures, waits = [], {}
    for connections, goal in ((16, at_least(1.5)), (1, at_least(0.85))):
        epic = [side(serving.process.port, "/service/", ids, connections) for ids in versions.values()]
        theirs, *ours = await alternate(scale, side(floor.port, "/latest/", once, connections), *epic)
        for count, one in zip(versions, ours, strict=True):
            waits[count] = one["p50"]
            name = f"GET latest of {count:,} version{'' if count == 1 else 's'}, {_snapshot(connections)}"
            figures.append(Figure(name, "find_one + orjson", "requests/s", one["rate"], theirs["rate"], goal))
    figures += [
        Figure(f"GET latest of {count:,} versions", "of 1 version", "ms", waits[count], waits[1], at_most(1.05))
        for count in versions
        if count > 1
    ]
    return figures


async def _same_answers(serving: Serving, floor: int, versions: dict[int, list[str]]) -> None:
    """Gives the floor the answers of EPIC; Disagreement when it does not give them back, or versions are missing."""
    views = [await serving.view(service_id) for service_id in serving.ids]
    async with connected(serving.on.mongo, DATABASE) as database:
        await database["documents"].insert_many([{"_id": view["ServiceId"], **view} for view in views])
    counts = {service_id: count for count, ids in versions.items() for service_id in ids}
    for view in views:
        if view["VersionId"] != counts[view["ServiceId"]]:
            raise Disagreement(f"{view['ServiceId']} has {view['VersionId']} versions")
    for ids in versions.values():
        view = await serving.view(ids[0])
        raw = await call_json(floor, "GET", f"/latest/{ids[0]}")
        if raw != {"_id": ids[0], **view}:
            raise Disagreement(f"EPIC answers {view} where the floor answers {raw}")


def _snapshot(connections: int) -> str:
    return "one connection" if connections == 1 else f"{connections} connections"


BENCH: Final = Bench("latest", "GET of the latest version, at 1, 100 and 10,000 versions", measure)

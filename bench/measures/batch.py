"""Measures ``POST /eventplan/batch`` of 1,000 plans, one request after the other.

eventplan_svc, a process of its own with all middleware and its log, against the floor of the dashboard: a bare FastAPI
route that finds the very documents of eventplan_svc's own collection by their ids, in one query, and writes them with
orjson; no colours.
"""

from __future__ import annotations

from typing import Final

import orjson

from bench.figure import Bench, Disagreement, Figure, at_most
from bench.http import call_json
from bench.load import Wanted
from bench.planning import Planning
from bench.rounds import alternate
from bench.serving import loaded
from bench.stage import Stage
from epic.serving import quiet_collector

_PLANS: Final = 1_000
_SECONDS: Final = 3.0


async def measure(stage: Stage) -> list[Figure]:
    planning = await Planning.begin(stage, stage.scale.of(_PLANS))
    event_id, _ = await planning.plan()
    await planning.at_rest()
    fleet_ids = [row["FleetId"] for row in planning.company.rows["Fleet"]]
    ids = [f"{event_id}#{fleet_id}" for fleet_id in fleet_ids]
    floor, load = await stage.floor("bench.floors.http", "--mongo", planning.on.mongo), await stage.load()
    wanted = {"EventId": event_id, "FleetIds": fleet_ids}
    epic, raw = Wanted("POST", "/eventplan/batch", orjson.dumps(wanted)), Wanted("PUT", "/page", orjson.dumps(ids))
    ours_read = await call_json(planning.service.port, epic.method, epic.path, wanted)
    theirs_read = await call_json(floor.port, raw.method, raw.path, ids)
    read = [plan["EventPlanId"] for plan in ours_read["Items"]]
    if read != ids or {form["_id"] for form in theirs_read["Items"]} != set(ids):
        raise Disagreement(f"of {len(ids)} plans EPIC reads {len(read)}, the floor {len(theirs_read['Items'])}")
    quiet_collector()
    theirs, ours = await alternate(
        stage.scale,
        loaded(stage.scale, load, floor.port, [raw], 1, _SECONDS),
        loaded(stage.scale, load, planning.service.port, [epic], 1, _SECONDS),
    )
    what = f"batch of {len(ids):,} plans"
    return [Figure(what, "the same plans read raw", "ms", ours["p50"], theirs["p50"], at_most(1.3))]


BENCH: Final = Bench("batch", "a batch of 1,000 plans over HTTP", measure)

"""Measures the readiness dashboard of 20,000 fleets: its first page of a hundred services, with the totals.

The floor reads the same page's plans raw: a bare FastAPI route that finds the very documents of eventplan_svc's own
collection by their ids, in one query, and writes them with orjson; no colours, no totals. That the totals are no scan
is seen from a page of one service with 20,000 fleets against one with 2,000.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from bench.figure import Bench, Disagreement, Figure, at_least, at_most
from bench.http import call_json
from bench.load import Load, Wanted
from bench.planning import Planning
from bench.rounds import alternate
from bench.stage import Stage

_FLEETS: Final = 20_000
_FEW: Final = 2_000
_SECONDS: Final = 3.0
_CONNECTIONS: Final = 4


async def measure(stage: Stage) -> list[Figure]:
    many, few = await asyncio.gather(*(Planning.begin(stage, stage.scale.of(fleets)) for fleets in (_FLEETS, _FEW)))
    (event_id, _), (few_id, _) = await many.plan(), await few.plan()
    await many.at_rest()
    await few.at_rest()
    shown = await _dashboard(many, event_id, {})
    await _dashboard(few, few_id, {})
    page = [f"{event_id}#{fleet['FleetId']}" for service in shown["Services"] for fleet in service["Fleets"]]
    floor = await stage.floor("bench.floors.http", "--mongo", many.on.mongo)
    raw = await call_json(floor.port, "PUT", "/page", page)
    if {form["_id"] for form in raw["Items"]} != set(page):
        raise Disagreement(f"the page has {len(page)} plans, of which {len(raw['Items'])} were read raw")
    load, path = await stage.load(), "/event/{}/dashboard"

    def asked(port: int, path: str, body: Any, connections: int) -> Callable[[], Awaitable[dict[str, float]]]:
        return _side(stage, load, port, Wanted("PUT", path, orjson.dumps(body)), connections)

    theirs, ours = await alternate(
        stage.scale,
        asked(floor.port, "/page", page, _CONNECTIONS),
        asked(many.service.port, path.format(event_id), {}, _CONNECTIONS),
    )
    small, large = await alternate(
        stage.scale,
        asked(few.service.port, path.format(few_id), {"Limit": 1}, 1),
        asked(many.service.port, path.format(event_id), {"Limit": 1}, 1),
    )
    counts = f"{many.company.fleets:,} fleets against {few.company.fleets:,}"
    return [
        Figure(
            "dashboard, first page and totals",
            f"the same {len(page):,} plans read raw",
            "pages/s",
            ours["rate"],
            theirs["rate"],
            at_least(0.5),
            f"{many.company.fleets:,} fleets, {_CONNECTIONS} connections",
        ),
        Figure("dashboard, one service and totals", counts, "ms", large["p50"], small["p50"], at_most(2)),
    ]


async def _dashboard(planning: Planning, event_id: str, body: Any) -> Any:
    """The first page; Disagreement when its totals are not those of every fleet."""
    shown = await call_json(planning.service.port, "PUT", f"/event/{event_id}/dashboard", body)
    if shown["Totals"]["Fleets"] != planning.company.fleets:
        raise Disagreement(f"the dashboard counts {shown['Totals']['Fleets']} of {planning.company.fleets} fleets")
    return shown


def _side(
    stage: Stage, load: Load, port: int, wanted: Wanted, connections: int
) -> Callable[[], Awaitable[dict[str, float]]]:
    async def measured() -> dict[str, float]:
        seen = await load.run(port, [wanted], connections=connections, seconds=stage.scale.seconds(_SECONDS))
        return {"rate": seen.rate, "p50": seen.p50}

    return measured


BENCH: Final = Bench("dashboard", "the dashboard of 20,000 fleets: first page and totals", measure)

"""Measures ``event.created`` → the last of 20,000 ``eventplan.created`` on the broker.

eventplan_svc, a process of its own that has heard of the company, against the same work by hand: ``insert_many`` of the
very documents it stored, a thousand at a time, and raw sends of the very records it sent (keys, values, headers), which
go while the next thousand are written; it ends when the broker has all. The collection has the unique index that
conditional updates need, and those of the filters. Neither side begins before the other's work is done.

What a plan costs at 20,000 fleets against 2,000 is measured with two services of either size, each on servers of its
own, taking turns.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bench.figure import Bench, Disagreement, Figure, at_least, at_most
from bench.floors.http import DATABASE
from bench.planning import PLAN_CREATED, Planning
from bench.raw.kafka import Raw, copies, create_topic, producing, send_all
from bench.raw.mongo import Wire, connected
from bench.rounds import alternate
from bench.stage import Stage
from epic.serving import quiet_collector
from shared.schemas.topics import TOPICS

_FLEETS: Final = 20_000
_FEW: Final = 2_000
_BATCH: Final = 1_000
_TOPIC: Final = "floor.plans"


class Floor:
    """The same documents and records, written by hand."""

    def __init__(self, planning: Planning, collection: Any, producer: Any) -> None:
        self._planning = planning
        self._collection = collection
        self._producer = producer
        self._forms: list[Wire] = []
        self._records: list[Raw] = []
        self._round = itertools.count(1)

    async def prepare(self, event_id: str) -> None:
        """Takes what the service made of an event; Disagreement when that is not one plan a fleet."""
        on, fleets = self._planning.on, self._planning.company.fleets
        await create_topic(on.kafka, _TOPIC, TOPICS[PLAN_CREATED].partitions)
        await self._collection.create_index([("_id", 1), ("Number", 1)], unique=True)
        async with connected(on.mongo, "eventplan") as database:
            found = await database["eventplan.heads"].find({"Item.State.EventId": event_id}).to_list(None)
        self._forms = found
        self._records = await copies(on.kafka, PLAN_CREATED, f"{event_id}#".encode())
        keys_stored, published_keys = {form["_id"].encode() for form in found}, {raw.key for raw in self._records}
        if not len(found) == len(self._records) == fleets or keys_stored != published_keys:
            raise Disagreement(f"{len(found)} plans and {len(self._records)} events of them, for {fleets} fleets")

    async def make(self) -> dict[str, float]:
        number = next(self._round)
        forms = [{**form, "_id": f"{form['_id']}~{number}"} for form in self._forms]
        gc.collect()
        began = time.perf_counter()
        sent: list[Any] = []
        for first in range(0, len(forms), _BATCH):
            await self._collection.insert_many(forms[first : first + _BATCH], ordered=False)
            sent += await send_all(self._producer, _TOPIC, self._records[first : first + _BATCH])
        for future in sent:
            await future
        return {"rate": len(forms) / (time.perf_counter() - began)}


def _ours(planning: Planning) -> Callable[[], Awaitable[dict[str, float]]]:
    async def make() -> dict[str, float]:
        _, seconds = await planning.plan()
        await planning.at_rest()
        return {"rate": planning.company.fleets / seconds, "each": seconds / planning.company.fleets * 1e6}

    return make


async def measure(stage: Stage) -> list[Figure]:
    many, few = await asyncio.gather(*(Planning.begin(stage, stage.scale.of(fleets)) for fleets in (_FLEETS, _FEW)))
    event_id, _ = await many.plan()
    await many.at_rest()
    database = await stage.enter(connected(many.on.mongo, DATABASE))
    floor = Floor(many, database["plans"], await stage.enter(producing(many.on.kafka)))
    await floor.prepare(event_id)
    quiet_collector()
    theirs, ours, small = await alternate(stage.scale, floor.make, _ours(many), _ours(few))
    counts = f"{many.company.fleets:,} fleets against {few.company.fleets:,}"
    return [
        Figure(
            "event → plans of all fleets",
            "insert_many of the same documents, raw sends of the same bytes",
            "plans/s",
            ours["rate"],
            theirs["rate"],
            at_least(0.8),
            f"{many.company.fleets:,} fleets",
        ),
        Figure("what a plan costs", counts, "µs", ours["each"], small["each"], at_most(1.15)),
    ]


BENCH: Final = Bench("plans", "event.created to the last of 20,000 eventplan.created", measure)

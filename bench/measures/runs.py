"""Measures a HOTW run over 20,000 fleets: executions, snapshots, overrides, fulfilments, and their events.

hotw_svc, a process of its own that knows the company, one event after another, each with its projections: from
``POST /hotw/run`` to the last fact of the run on the broker. The floor writes the very rows that a run left in the six
tables, by aiomysql's ``executemany``, 500 fleets a transaction, into tables made like them, and sends the very records
(keys, values, headers), which go while the next 500 fleets are written; it reads nothing and decides nothing. The
tables of both are emptied before each round. Then two workers against one: a second process of hotw_svc shares the run.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.company import Company, CompanyPublisher
from bench.figure import Bench, Disagreement, Figure, at_least
from bench.http import call_json
from bench.process import Process
from bench.raw.kafka import Counter, Raw, copies, create_topic, producing, send_all
from bench.raw.mysql import Sql
from bench.rounds import alternate
from bench.stage import Servers, Stage
from epic.serving import quiet_collector
from shared.schemas.topics import TOPICS

_FLEETS: Final = 20_000
_CHUNK: Final = 500
_TABLES: Final = (
    "hotw_execution",
    "asg_details",
    "asg_details_run",
    "capacity_override_details",
    "fulfillment_details",
    "hotw_dashboard",
)
_FACTS: Final = ("hotw.execution.completed", "hotw.order.placed")
_LAST: Final = "hotw.run.completed"
_TOPIC: Final = "floor.facts"
_PATIENCE: Final = 300.0

Sums = Mapping[str, int]


async def _sums(sql: Sql, prefix: str = "") -> Sums:
    """What a run left, in a form both sides must agree on."""
    found = {table: await sql.number(f"SELECT COUNT(*) FROM {prefix}{table}") for table in _TABLES}
    for name, column, table in (
        ("ordered", "OrderedHosts", "hotw_execution"),
        ("fulfilment", "FulfillmentValue", "fulfillment_details"),
        ("dashboard", "CapacityOverrideSum", "hotw_dashboard"),
        ("override", "OverrideValue", "capacity_override_details"),
    ):
        found[name] = await sql.number(f"SELECT SUM({column}) FROM {prefix}{table}")
    return found


@dataclass
class Hotw:
    """hotw_svc, its company, and what it is asked."""

    stage: Stage
    on: Servers
    company: Company
    service: Process
    publisher: CompanyPublisher
    counter: Counter
    sql: Sql

    def __post_init__(self) -> None:
        self._ids = (f"EV{number}" for number in itertools.count(1))

    @classmethod
    async def begin(cls, stage: Stage, fleets: int) -> Hotw:
        on, company = await stage.servers("kafka", "mysql"), Company(fleets)
        publisher = await stage.enter(CompanyPublisher(on.kafka))
        service = await stage.service("hotw_svc", on)
        counter = await stage.enter(Counter.on(on.kafka))
        sql = await stage.enter(Sql.on(on.mysql))
        await publisher.publish(company.standing())
        for table in ("read_model_fleet", "read_model_inventory"):
            await _reaches(sql, table, "1", company.fleets)
        return cls(stage, on, company, service, publisher, counter, sql)

    async def prepare_event(self) -> str:
        """A new event with its projections, known to the service, and no row of an earlier run."""
        event_id = next(self._ids)
        await self.publisher.publish([self.company.event(event_id)])
        await self.publisher.publish(self.company.projections(event_id))
        await _reaches(self.sql, "read_model_event", f"`Key` = '{event_id}'", 1)
        await _reaches(self.sql, "read_model_projection", f"`Key` LIKE '%#{event_id}#Peak'", self.company.fleets)
        for table in _TABLES:
            await self.sql.run(f"TRUNCATE TABLE {table}")
        await self.service.idle()
        return event_id

    async def run(self, event_id: str) -> float:
        """The seconds of a run until its last fact is on the broker; Disagreement when its sums do not agree."""
        facts, ended = await self._facts(), await self.counter.count(_LAST)
        began = time.perf_counter()
        run = await call_json(self.service.port, "POST", "/hotw/run", {"EventId": event_id})
        seconds = await self.counter.reaches(_LAST, ended + 1, seconds=_PATIENCE) - began
        seen = await call_json(self.service.port, "GET", f"/hotw/run/{run['RunId']}")
        while await self.sql.number("SELECT COUNT(*) FROM outbox"):
            await asyncio.sleep(0.05)
        published, sums = await self._facts() - facts, await _sums(self.sql)
        orders = await self.sql.number("SELECT COUNT(*) FROM hotw_execution WHERE OrderedHosts > 0")
        agreed = {seen["OrderedHosts"], sums["ordered"], sums["fulfilment"], sums["dashboard"]}
        counts = {seen["Executions"], sums["hotw_execution"], sums["hotw_dashboard"], self.company.fleets}
        if len(agreed) != 1 or len(counts) != 1 or not orders or published != self.company.fleets + orders:
            raise Disagreement(f"the run {seen} left {sums} and published {published} facts")
        return seconds

    async def _facts(self) -> int:
        return sum([await self.counter.count(topic) for topic in _FACTS])


class Floor:
    """The same rows and records, written by hand."""

    def __init__(self, hotw: Hotw, producer: Any) -> None:
        self._hotw = hotw
        self._producer = producer
        self._chunks: list[tuple[list[tuple[str, list[Any]]], list[Raw]]] = []
        self._sums: Sums = {}

    async def prepare(self, event_id: str) -> None:
        """Takes what a run left and told."""
        sql = self._hotw.sql
        self._sums = await _sums(sql)
        fleets: dict[int, dict[str, list[Any]]] = {}
        statements: dict[str, str] = {}
        for table in _TABLES:
            await sql.run(f"CREATE TABLE floor_{table} LIKE {table}")
            columns = [row[0] for row in await sql.run(f"SHOW COLUMNS FROM {table}")]
            names, marks = ", ".join(f"`{name}`" for name in columns), ", ".join(["%s"] * len(columns))
            statements[table] = f"INSERT INTO floor_{table} ({names}) VALUES ({marks})"
            at = columns.index("FleetIndexId")
            for row in await sql.run(f"SELECT {names} FROM {table}"):
                fleets.setdefault(row[at], {}).setdefault(table, []).append(row)
        records: dict[bytes, list[Raw]] = {}
        for topic in _FACTS:
            for raw in await copies(self._hotw.on.kafka, topic, f"{event_id}#".encode()):
                records.setdefault(raw.key or b"", []).append(raw)
        published = list(records.values())
        numbers = sorted(fleets)
        for first in range(0, len(numbers), _CHUNK):
            some = numbers[first : first + _CHUNK]
            rows = [(statements[table], [row for n in some for row in fleets[n].get(table, ())]) for table in _TABLES]
            self._chunks.append((rows, [raw for group in published[first : first + _CHUNK] for raw in group]))
        await create_topic(self._hotw.on.kafka, _TOPIC, TOPICS[_FACTS[0]].partitions)

    async def write(self) -> dict[str, float]:
        sql = self._hotw.sql
        for table in _TABLES:
            await sql.run(f"TRUNCATE TABLE floor_{table}")
        gc.collect()
        began = time.perf_counter()
        sent: list[Any] = []
        for rows, records in self._chunks:
            await sql.connection.begin()
            async with sql.connection.cursor() as cursor:
                for statement, values in rows:
                    if values:
                        await cursor.executemany(statement, values)
            await sql.connection.commit()
            sent += await send_all(self._producer, _TOPIC, records)
        for future in sent:
            await future
        seconds = time.perf_counter() - began
        if await _sums(sql, "floor_") != self._sums:
            raise Disagreement(f"the floor wrote {await _sums(sql, 'floor_')} where {self._sums} were to be")
        return {"rate": self._hotw.company.fleets / seconds}


def _side(hotw: Hotw, *, workers: int) -> Callable[[], Awaitable[dict[str, float]]]:
    async def measured() -> dict[str, float]:
        event_id = await hotw.prepare_event()
        if workers == 1:
            return {"rate": hotw.company.fleets / await hotw.run(event_id)}
        second = await hotw.stage.service("hotw_svc", hotw.on)
        await second.idle()
        try:
            return {"rate": hotw.company.fleets / await hotw.run(event_id)}
        finally:
            await second.stop()

    return measured


async def _reaches(sql: Sql, table: str, where: str, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while (seen := await sql.number(f"SELECT COUNT(*) FROM {table} WHERE {where}")) < count:
        if time.monotonic() > deadline:
            raise Disagreement(f"{table} has {seen} rows where {count} were published")
        await asyncio.sleep(0.1)


async def measure(stage: Stage) -> list[Figure]:
    hotw = await Hotw.begin(stage, stage.scale.of(_FLEETS))
    event_id = await hotw.prepare_event()
    await hotw.run(event_id)
    floor = Floor(hotw, await stage.enter(producing(hotw.on.kafka)))
    await floor.prepare(event_id)
    quiet_collector()
    theirs, ours, shared = await alternate(stage.scale, floor.write, _side(hotw, workers=1), _side(hotw, workers=2))
    fleets = f"{hotw.company.fleets:,} fleets"
    return [
        Figure(
            "a run over all fleets",
            "executemany of the same rows, raw sends of the same bytes",
            "fleets/s",
            ours["rate"],
            theirs["rate"],
            at_least(0.6),
            fleets,
        ),
        Figure("a run shared by two workers", "one worker", "fleets/s", shared["rate"], ours["rate"], None, fleets),
    ]


BENCH: Final = Bench("runs", "a HOTW run over 20,000 fleets, and two workers against one", measure)

"""Measures the resident memory of each service's process: at 2,000 fleets, at 20,000, and over a steady load.

All five services on real servers, everything made through their own doors: services, fleets, inventories and
projections by commands, the event over HTTP, plans by themselves, and a HOTW run over all. Memory is read when all is
at rest. Then reads and writes at a steady rate on all five: for eleven minutes, in which pools and caches fill and all
that is done every ten minutes is done once, and for ten more, whose last minute is compared with their first.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bench.company import Company, CompanyPublisher, command
from bench.figure import Bench, Disagreement, Figure, at_most
from bench.http import call_json
from bench.load import Wanted
from bench.process import Process
from bench.stage import Stage
from shared.envelope import Message
from shared.schemas.topics import SERVICES

_FLEETS: Final = 20_000
_FEW: Final = 2_000
_WARM: Final = 660.0
_STEADY: Final = 600.0
_TENTH: Final = 0.1
_RATE: Final = 20
_SEEN: Final = 200
_AT_REST: Final = 20.0
_PATIENCE: Final = 300.0  # seconds without any progress
_EVENT: Final = "EV1"
_FIELDS: Final = ("VersionId", "LatestVersionId", "CreatedAt", "CreatedBy", "SchemaVersion", "AuditMetadata")


@dataclass
class Epic:
    """Five services, and what they have been told of so far."""

    services: Mapping[str, Process]
    publisher: CompanyPublisher

    def port(self, service: str) -> int:
        return self.services[service].port

    async def grow(self, company: Company, known: Company | None) -> None:
        """Makes all of a company that is not known yet, through EPIC's doors, and runs HOTW over the whole."""
        await self.publisher.publish(_commands(company, known))
        if known is None:
            event = orjson.loads(company.event(_EVENT).data)
            body = {name: value for name, value in event.items() if name not in _FIELDS}
            await call_json(self.port("event_svc"), "POST", "/event", body)
        await self._until("eventplan_svc", "PUT", f"/event/{_EVENT}/dashboard", ("Totals", "Fleets"), company.fleets)
        for member in ("Fleets", "Projections", "Inventories"):
            await self._until("hotw_svc", "GET", f"/hotw/inputs/{_EVENT}", (member,), company.fleets)
        run = await call_json(self.port("hotw_svc"), "POST", "/hotw/run", {"EventId": _EVENT})
        await self._until("hotw_svc", "GET", f"/hotw/run/{run['RunId']}", ("Executions",), company.fleets)

    async def memory(self) -> dict[str, float]:
        """The resident MB of each service once all of them are at rest."""
        for process in self.services.values():
            await process.idle(_AT_REST)
        return {name: process.rss_mb() for name, process in self.services.items()}

    async def _until(self, service: str, method: str, path: str, members: tuple[str, ...], count: int) -> None:
        deadline, seen = time.monotonic() + _PATIENCE, None
        while seen != count:
            if time.monotonic() > deadline:
                raise Disagreement(f"{service} {path} says {'.'.join(members)} {seen} where {count} are to be")
            await asyncio.sleep(0.2)
            try:
                found = await call_json(self.port(service), method, path, {} if method == "PUT" else None)
            except RuntimeError:  # the event, or the dashboard, is not there yet
                continue
            for member in members:
                found = found[member]
            if found != seen:  # it gets on, however slowly
                deadline, seen = time.monotonic() + _PATIENCE, found


def _commands(company: Company, known: Company | None) -> Iterator[Message]:
    """What makes the rest of a company; all of a fleet under one key, so in this order."""
    there = set() if known is None else {row["FleetId"] for row in known.rows["Fleet"]}
    old = set() if known is None else {row["ServiceId"] for row in known.rows["Service"]}
    for row in company.rows["Service"]:
        if row["ServiceId"] not in old:
            yield command("fleet.commands", "CreateService", row["ServiceId"], row)
    for kind, ce_type in (
        ("Fleet", "CreateFleet"),
        ("Inventory", "ReportInventory"),
        ("Projection", "CreateProjection"),
    ):
        for row in company.rows[kind]:
            if row["FleetId"] not in there:
                data = {**row, "EventId": _EVENT} if kind == "Projection" else row
                yield command("fleet.commands", ce_type, row["FleetId"], data)


def _mixture(company: Company) -> dict[str, list[Wanted]]:
    """What each service is asked all the time: two or three reads for a write, of ever other documents."""
    fleets = [row["FleetId"] for row in company.rows["Fleet"]][:_SEEN]
    services = [row["ServiceId"] for row in company.rows["Service"]][:_SEEN]
    found: dict[str, list[Wanted]] = {name: [] for name in SERVICES}
    for turn in range(2):  # the second time round every write says something else
        for fleet in fleets:
            plan = {"EventMilestoneId": "UpdateThrottlingInSDC"}
            status = {**plan, "MilestoneCompletionStatus": "InProgress" if turn else "NotStarted"}
            found["fleet_svc"] += [
                Wanted("GET", f"/fleet/{fleet}"),
                Wanted("GET", f"/projection/{fleet}/{_EVENT}"),
                _write(f"/projection/{fleet}/{_EVENT}", {"IsVerifiedByOwner": bool(turn)}),
            ]
            found["eventplan_svc"] += [
                Wanted("GET", f"/eventplan/{_EVENT}/{fleet}"),
                _write(f"/event/{_EVENT}/dashboard", {"Limit": 10}),
                _write(f"/eventplan/{_EVENT}/{fleet}/status", status),
            ]
            found["hotw_svc"].append(Wanted("GET", f"/hotw/executionDetail/{_EVENT}/{fleet}"))
            found["notify_svc"].append(Wanted("GET", "/ticket?Limit=10"))
        for service in services:
            found["fleet_svc"].append(_write(f"/service/{service}", {"ServiceTier": f"Tier{turn + 1}"}))
            found["hotw_svc"].append(Wanted("GET", f"/hotw/dashboard/{_EVENT}/Upscaling?Limit=10"))
        found["event_svc"] += [Wanted("GET", f"/event/{_EVENT}"), Wanted("GET", "/event")]
    return found


def _write(path: str, body: Any) -> Wanted:
    return Wanted("PUT", path, orjson.dumps(body))


async def _steady(stage: Stage, epic: Epic, company: Company) -> dict[str, list[float]]:
    """The memory of each service, a value a second, while all of them are busy."""
    seconds = stage.scale.seconds((_WARM + _STEADY) / (20 if stage.scale.quick else 1))
    mixture = _mixture(company)
    loads = {name: await stage.load() for name in SERVICES}
    running = [
        asyncio.create_task(load.run(epic.port(name), mixture[name], connections=4, seconds=seconds, rate=_RATE))
        for name, load in loads.items()
    ]
    samples: dict[str, list[float]] = {name: [] for name in SERVICES}
    while not all(task.done() for task in running):
        for name, process in epic.services.items():
            samples[name].append(process.rss_mb())
        await asyncio.sleep(1)
    await asyncio.gather(*running)
    return samples


async def measure(stage: Stage) -> list[Figure]:
    small, large = Company(stage.scale.of(_FEW)), Company(stage.scale.of(_FLEETS))
    on = await stage.servers("kafka", "mongo", "mysql")
    publisher = await stage.enter(CompanyPublisher(on.kafka))
    services = dict(zip(SERVICES, await asyncio.gather(*(stage.service(name, on) for name in SERVICES)), strict=True))
    epic = Epic(services, publisher)
    await epic.grow(small, None)
    few = await epic.memory()
    await epic.grow(large, small)
    many = await epic.memory()
    samples = await _steady(stage, epic, large)
    figures = []
    for name in SERVICES:
        each = (many[name] - few[name]) * 1024 / (large.fleets - small.fleets)
        figures.append(
            Figure(
                f"memory of {name} at {large.fleets:,} fleets",
                f"at {small.fleets:,} fleets",
                "MB",
                (many[name],),
                (few[name],),
                None,
                f"{each:.1f} KB a fleet",
            )
        )
    for name, seen in samples.items():
        steady = seen[-int(len(seen) * _STEADY / (_WARM + _STEADY)) :]
        tenth = max(1, int(len(steady) * _TENTH))
        before, after = statistics.median(steady[:tenth]), statistics.median(steady[-tenth:])
        figures.append(
            Figure(
                f"memory of {name} after {len(seen)} s of load",
                f"{len(steady)} s before",
                "MB",
                (after,),
                (before,),
                at_most(1.05),
                f"{_RATE} requests/s",
            )
        )
    return figures


BENCH: Final = Bench("memory", "memory of each service at 2,000 and 20,000 fleets, and under steady load", measure)

"""Measures what a day of traffic costs fleet_svc: milliseconds of a core for each fleet, and what it leaves on disk.

fleet_svc's use cases work in this process on a SQLite file, as in ``epic up``. Each fleet has 27 full days and the
oldest day that is kept. Then comes today: all of it but its last quarter of an hour in one creation, that quarter as a
part, and the work at 00:00, in which every BAUTPM is worked out again and the oldest day deleted. The figures are times
of a core, not ratios, because no raw work is like it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from bench.figure import Bench, Disagreement, Figure
from bench.stage import Stage
from epic.serving import quiet_collector
from services.fleet_svc.app.create_fleet import create_fleet
from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.refresh_bau import bau_tpm_of
from services.fleet_svc.app.turn_traffic_day import turn_traffic_day
from services.fleet_svc.bootstrap import bau_on, declared_on
from services.fleet_svc.domain.bau import WINDOW_DAYS
from services.fleet_svc.domain.traffic import DAYS_KEPT
from shared.cause import Cause
from shared.documents.sqlite import SqliteStore
from shared.envelope import Message
from shared.schemas.fleet_svc.fleet import CreateFleet
from shared.schemas.fleet_svc.traffic import MINUTES, TRAFFIC
from shared.schemas.validation import validated
from shared.tasks import for_each
from shared.trace import Trace
from tests.support.clock import FixedClock

_FLEETS: Final = 200
_ORDINARY: Final = 20_000
_TODAY: Final = date(2024, 6, 15)
_BEFORE: Final = (DAYS_KEPT - 1, *range(WINDOW_DAYS - 1, 0, -1))
"""The days before today that a fleet has, by how long ago they are."""
_PART: Final = 15
_AT_ONCE: Final = 32

Body = dict[str, Any]


class TrafficDay:
    """Fleets and their days. Each round is today for some of the fleets, since a day is created once."""

    def __init__(self, stage: Stage) -> None:
        self.fleets = stage.scale.of(_FLEETS)
        self._path = stage.folder / "fleet.db"
        self._rounds = stage.scale.rounds
        self._ids = [f"Fleet-{number:05d}" for number in range(self.fleets)]
        self._drawn = random.Random(1)
        self._clock = FixedClock("2024-06-15T23:59:59Z")
        self._cause = Cause(self._clock.now(), "bench", Trace.begin())
        self._store = SqliteStore(self._path, _published, source="fleet_svc")
        self._known = Fleets(self._store)
        self._declared = declared_on(self._store, self._known, self._clock)
        self._bau = bau_on(self._store, self._declared, self._known, self._clock)

    async def measure(self) -> dict[str, tuple[float, ...]]:
        """What each step costs a fleet: milliseconds of a core by round, and kilobytes on disk for a day."""
        await self._store.start()
        for fleet_id in self._ids:
            configuration = {"Region": "us-east-1", "HostThroughPutTPM": 250}
            body = {"FleetId": fleet_id, "ServiceId": "Service-0", "FleetConfiguration": configuration}
            await create_fleet(validated(CreateFleet, body), self._cause, fleets=self._known)
        for ago in _BEFORE:
            await self._create([self._day(one, _TODAY - timedelta(days=ago)) for one in self._ids])
        found: dict[str, list[float]] = {"day": [], "part": []}
        for some in self._shares():
            days = [self._day(fleet_id, _TODAY) for fleet_id in some]
            found["day"].append(await _each(self._create, [_minutes(day, MINUTES[:-_PART]) for day in days]))
            found["part"].append(await _each(self._change, [_minutes(day, MINUTES[-_PART:]) for day in days]))
        self._clock.advance(timedelta(seconds=1))
        found["midnight"] = [await _each(self._turn, self._ids)]
        if None in [await bau_tpm_of(fleet_id, self._bau.bau) for fleet_id in self._ids]:
            raise Disagreement("a fleet with four weeks of traffic has no BAUTPM")
        await self._store.drain()
        await self._store.stop()
        found["disk"] = [self._path.stat().st_size / self.fleets / (len(_BEFORE) + 1) / 1000]
        return {name: tuple(values) for name, values in found.items()}

    def _shares(self) -> Iterator[Sequence[str]]:
        return (self._ids[number :: self._rounds] for number in range(self._rounds))

    def _day(self, fleet_id: str, day: date) -> Body:
        height = 15_000 if day.weekday() > 4 else 33_000
        series = {minute: int(height * self._drawn.uniform(0.5, 1)) for minute in MINUTES}
        return {"FleetId": fleet_id, "Date": day.isoformat(), "Series": series, "Source": "Axon"}

    async def _create(self, days: Sequence[Body]) -> None:
        async def create(day: Body) -> None:
            await self._declared["Traffic"].create(validated(TRAFFIC.create, day), self._cause)

        await for_each(days, create, at_once=_AT_ONCE)

    async def _change(self, parts: Sequence[Body]) -> None:
        async def change(part: Body) -> None:
            await self._declared["Traffic"].update(validated(TRAFFIC.update, part), self._cause)

        await for_each(parts, change, at_once=_AT_ONCE)

    async def _turn(self, _: Sequence[str]) -> None:
        await turn_traffic_day(store=self._bau, leases=self._store.leases())


async def _published(messages: Sequence[Message]) -> list[Exception | None]:
    return [None] * len(messages)


def _minutes(day: Body, minutes: Sequence[str]) -> Body:
    return {**day, "Series": {minute: day["Series"][minute] for minute in minutes}}


async def _each(work: Callable[[Sequence[Any]], Awaitable[None]], items: Sequence[Any]) -> float:
    """Milliseconds of a core for each item, the store's threads included."""
    began = time.process_time()
    await work(items)
    return (time.process_time() - began) * 1000 / len(items)


async def measure(stage: Stage) -> list[Figure]:
    day = TrafficDay(stage)
    quiet_collector()
    found = await day.measure()
    steps = {
        "day": f"traffic, a day of {len(MINUTES) - _PART:,} minutes in one creation",
        "part": f"traffic, a part of {_PART} minutes more",
        "midnight": "traffic, the work at 00:00",
    }
    return [
        *(
            Figure(name, "nothing: of a core, a fleet", "ms", found[step], note=_note(day))
            for step, name in steps.items()
        ),
        Figure("traffic on disk", "nothing: a fleet and day", "kB", found["disk"], note=_note(day)),
    ]


def _note(day: TrafficDay) -> str:
    return f"{day.fleets:,} fleets"


BENCH: Final = Bench("traffic_day", "what a day of traffic costs fleet_svc, in ms of a core a fleet", measure, False)

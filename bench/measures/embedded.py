"""Measures what EPIC embeds: durable appends to its log, and ``event.created`` → 20,000 plans in one ``epic up``.

The floors are plain sqlite3, WAL, ``synchronous=FULL``, batches of 500 a transaction, rows ready-made. Appends: the
log takes the single ones of 200 producers that each wait for their acknowledgement. Plans: ``epic up`` as it is
shipped, all five services in one process on a folder whose log already tells of the company; from ``POST /event`` to
the last ``eventplan.created`` in the log's file. Its floor writes the very documents and the very events that it
left, in one file.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from bench.company import Company
from bench.figure import Bench, Disagreement, Figure, at_least
from bench.http import call_json
from bench.planning import PLAN_CREATED
from bench.process import Process
from bench.rounds import alternate
from bench.stage import NOW, Stage
from epic.serving import quiet_collector
from shared.embedded import EmbeddedTransport, storage
from shared.messaging.publisher import Publisher, publish_all
from shared.messaging.transport import ensure_topics, follow_records
from shared.schemas.topics import Topic
from tests.support.servers import free_port

_RECORDS: Final = 40_000
_PRODUCERS: Final = 200
_BATCH: Final = 500
_FLEETS: Final = 20_000
_PATIENCE: Final = 240.0
_TOPIC: Final = "eventplan.updated"
_VALUE: Final = b"x" * 400
_HEADERS: Final = [
    ("ce_id", b"PD2024#FORTRESSService-NA-X0:7:eventplan.updated"),
    ("ce_type", b"eventplan.updated"),
    ("ce_source", b"eventplan_svc"),
    ("ce_time", b"2024-06-15T09:00:00.000Z"),
]
_MANAGED: Final = frozenset(
    ("VersionId", "LatestVersionId", "CreatedAt", "CreatedBy", "SchemaVersion", "AuditMetadata")
)
_INSERT: Final = "INSERT INTO records VALUES (?, ?, ?, ?, ?)"


class Plain:
    """A file of plain sqlite3, as durable as the log's; the rows go in batches, a transaction each."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE records (id INTEGER PRIMARY KEY, key BLOB, value BLOB, headers BLOB, at INTEGER)"
        )
        self._connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, body BLOB)")

    def write(self, statements: list[tuple[str, list[tuple[Any, ...]]]]) -> float:
        """The seconds it takes to write the rows of each statement, the first batches of all before the second."""
        began = time.perf_counter()
        for first in range(0, max(len(rows) for _, rows in statements), _BATCH):
            self._connection.execute("BEGIN")
            for statement, rows in statements:
                self._connection.executemany(statement, rows[first : first + _BATCH])
            self._connection.execute("COMMIT")
        return time.perf_counter() - began

    def count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def close(self) -> None:
        self._connection.close()


class Appends:
    """The same records, by the log and by hand."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.records = stage.scale.of(_RECORDS)
        self._folder = folder

    async def floor(self) -> dict[str, float]:
        headers = b"".join(name.encode() + value for name, value in _HEADERS)
        rows = [(number, _key(number), _VALUE, headers, 1_718_442_000_000 + number) for number in range(self.records)]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            plain = Plain(Path(folder) / "plain.db")
            seconds = plain.write([(_INSERT, rows)])
            plain.close()
        return {"rate": self.records / seconds}

    async def log(self) -> dict[str, float]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            async with EmbeddedTransport(folder) as log:
                await log.create_topics([Topic(_TOPIC, 12)])

                async def produce(name: int) -> None:
                    for number in range(name, self.records, _PRODUCERS):
                        await log.append(_TOPIC, key=_key(number), value=_VALUE, headers=_HEADERS)

                began = time.perf_counter()
                await asyncio.gather(*(produce(name) for name in range(_PRODUCERS)))
                seconds = time.perf_counter() - began
                if sum((await log.end_offsets(_TOPIC)).values()) != self.records:
                    raise Disagreement("the log has not all records")
        return {"rate": self.records / seconds}


def _key(number: int) -> bytes:
    return b"PD2024#Fleet-%d" % (number % 2_000)


class Plans:
    """``epic up`` on a folder that knows the company, and the floor of what it writes."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.company = Company(stage.scale.of(_FLEETS))
        self._stage = stage
        self._data = folder / "data"
        self._folder = folder
        self._ids = (f"EV{number}" for number in itertools.count(1))
        self._statements: list[tuple[str, list[tuple[Any, ...]]]] = []

    async def prepare(self) -> None:
        """Starts it, plans once, and takes what that came to."""
        transport = EmbeddedTransport(self._data)
        await transport.start()
        await ensure_topics(transport)
        publisher = Publisher(transport, "bench")
        messages = list(self.company.standing())
        for first in range(0, len(messages), 2_000):
            await publish_all(publisher, messages[first : first + 2_000])
        await publisher.stop()
        await transport.stop()
        port = free_port()
        arguments = ["epic", "up", "--data", str(self._data), "--port", str(port), "--now", NOW]
        self._epic = Process(arguments, self._folder / "epic.log", port, {"EPIC_MAIL_DOMAIN": "example.com"})
        await self._stage.run(self._epic)
        await self._at_rest()
        await self.epic()
        await self._epic.stop()
        await self._take()
        await self._stage.run(self._epic)
        await self._at_rest()

    async def epic(self) -> dict[str, float]:
        event = orjson.loads(self.company.event(next(self._ids)).data)
        before = self._plans()
        began = time.perf_counter()
        body = {name: value for name, value in event.items() if name not in _MANAGED}
        await call_json(self._epic.port, "POST", "/event", body)
        while (seen := self._plans()) < before + self.company.fleets:
            if time.perf_counter() - began > _PATIENCE:
                raise Disagreement(f"{seen - before} plans of {self.company.fleets} fleets")
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - began
        await self._at_rest()
        if self._plans() != before + self.company.fleets:
            raise Disagreement(f"{self._plans() - before} plans were published {self.company.fleets} fleets")
        return {"rate": self.company.fleets / seconds}

    async def floor(self) -> dict[str, float]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            plain = Plain(Path(folder) / "plain.db")
            seconds = plain.write(self._statements)
            if {plain.count("records"), plain.count("documents")} != {self.company.fleets}:
                raise Disagreement("the floor wrote other rows")
            plain.close()
        return {"rate": self.company.fleets / seconds}

    async def _take(self) -> None:
        """The events of the log, and as a document what each tells of, which is what the store holds of it."""
        transport = EmbeddedTransport(self._data)
        await transport.start()
        found = [record async for record in follow_records(transport, PLAN_CREATED, to_end=True)]
        await transport.stop()
        records = [
            (
                number,
                record.key,
                record.value,
                b"".join(name.encode() + value for name, value in record.headers),
                record.timestamp,
            )
            for number, record in enumerate(found)
        ]
        documents = [(record.key.decode(), record.value) for record in found]
        self._statements = [("INSERT INTO documents VALUES (?, ?)", documents), (_INSERT, records)]

    def _plans(self) -> int:
        """How many events about created plans the log's file holds."""
        with closing(storage.open_reader(self._data)) as connection:
            return sum(partition.end for partition in storage.load_partitions(connection, PLAN_CREATED))

    async def _at_rest(self) -> None:
        while True:
            waiting = await call_json(self._epic.port, "GET", "/embedded/waiting")
            if not any(waiting.values()):
                break
            await asyncio.sleep(0.2)
        await self._epic.idle()


async def measure(stage: Stage) -> list[Figure]:
    appends = Appends(stage, stage.folder)
    quiet_collector()
    plain, log = await alternate(stage.scale, appends.floor, appends.log)
    plans = Plans(stage, stage.folder)
    await plans.prepare()
    quiet_collector()
    by_hand, epic = await alternate(stage.scale, plans.floor, plans.epic)
    sqlite = f"plain sqlite3, {_BATCH} a transaction"
    return [
        Figure(
            "embedded log, durable appends",
            sqlite,
            "records/s",
            log["rate"],
            plain["rate"],
            at_least(0.3),
            f"{_PRODUCERS} producers",
        ),
        Figure(
            "embedded, event → plans of all fleets",
            sqlite,
            "plans/s",
            epic["rate"],
            by_hand["rate"],
            at_least(0.3),
            f"{plans.company.fleets:,} fleets",
        ),
    ]


BENCH: Final = Bench("embedded", "the embedded log, and 20,000 plans in one epic up", measure, needs_docker=False)

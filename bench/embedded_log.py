"""Measures the embedded log's durable appends against plain sqlite3 writing batches of 500 rows.

    python bench/embedded_log.py

Both sync every commit (WAL, synchronous=FULL) on the same disk, in turns. The log takes single appends of 200 producers
that each wait for their acknowledgement; sqlite3 gets its rows ready-made, 500 a transaction. Runs on uvloop where it
is installed, as the services do. Prints records a second and the ratio of each of five rounds, and min, median, max.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from shared.messaging.transport import DurableLog, TopicSpec

RECORDS = 40_000
PRODUCERS = 200
BATCH = 500
PARTITIONS = 12
ROUNDS = 5
SINGLE = 500
VALUE = b"x" * 400
HEADERS = [
    ("ce_id", b"PD2024#FORTRESSService-NA-X0:7:eventplan.updated"),
    ("ce_type", b"eventplan.updated"),
    ("ce_source", b"eventplan_svc"),
    ("ce_time", b"2024-06-15T09:00:00.000Z"),
]


def key(number: int) -> bytes:
    return b"PD2024#Fleet-%d" % (number % 2_000)


def plain_sqlite(folder: Path) -> float:
    """Records a second of sqlite3's executemany, one commit a batch."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, key BLOB, value BLOB, headers BLOB, at INTEGER)")
    headers = b"".join(name.encode() + value for name, value in HEADERS)
    rows = [
        ((number % PARTITIONS) << 40 | number, key(number), VALUE, headers, 1_718_442_000_000 + number)
        for number in range(RECORDS)
    ]
    began = time.perf_counter()
    for at in range(0, RECORDS, BATCH):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows[at : at + BATCH])
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return RECORDS / took


async def embedded_log(folder: Path) -> tuple[float, list[float]]:
    """Records a second of all producers together, and how long single appends took one after the other (seconds)."""
    async with DurableLog(folder) as log:
        await log.create_topics([TopicSpec("eventplan.updated", PARTITIONS)])

        async def produce(name: int) -> None:
            for number in range(RECORDS // PRODUCERS):
                await log.append("eventplan.updated", key=key(name + number * PRODUCERS), value=VALUE, headers=HEADERS)

        began = time.perf_counter()
        await asyncio.gather(*(produce(name) for name in range(PRODUCERS)))
        together = RECORDS / (time.perf_counter() - began)

        alone = []
        for number in range(SINGLE):
            began = time.perf_counter()
            await log.append("eventplan.updated", key=key(number), value=VALUE, headers=HEADERS)
            alone.append(time.perf_counter() - began)
        return together, alone


def runner() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def main() -> None:
    run = runner()
    gc.collect()
    gc.freeze()
    ratios: list[float] = []
    waits: list[float] = []
    print(f"{RECORDS:,} records a round, {PRODUCERS} producers, {PARTITIONS} partitions")
    for number in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            plain = plain_sqlite(Path(folder))
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            log, alone = run(embedded_log(Path(folder)))
        ratios.append(log / plain)
        waits += alone
        print(f"round {number}: sqlite3 {plain:>9,.0f}/s   embedded log {log:>9,.0f}/s   ratio {log / plain:.2f}")
    print(f"ratio min {min(ratios):.2f}  median {statistics.median(ratios):.2f}  max {max(ratios):.2f}")
    centiles = statistics.quantiles(waits, n=100)
    print(f"one append alone: p50 {centiles[49] * 1000:.1f} ms  p99 {centiles[98] * 1000:.1f} ms")


if __name__ == "__main__":
    main()

"""What the embedded log keeps: over a restart, over kill -9, over a disk that fails."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, KafkaStorageError

from shared.embedded import DataFolderInUse, DurableLog, EmbeddedTransport, storage
from shared.embedded.storage import UnknownFormat
from shared.schemas.topics import Topic
from tests.support.logs import fill, read_all, read_values

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

APPENDING = """
import asyncio, sys
from shared.embedded import DurableLog
from shared.schemas.topics import Topic

async def produce(log, name):
    number = 0
    while True:
        stored = await log.append("t", key=b"%d" % name, value=b"%d:%d" % (name, number))
        print(f"{stored.partition} {stored.offset} {name}:{number}", flush=True)
        number += 1

async def main():
    async with DurableLog(sys.argv[1]) as log:
        await log.create_topics([Topic("t", 3)])
        await asyncio.gather(*(produce(log, name) for name in range(20)))

asyncio.run(main())
"""

HOLDING = """
import asyncio, sys
from shared.embedded import DurableLog

async def main():
    async with DurableLog(sys.argv[1]):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def run(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 2, {"retention.ms": 5})])
        await fill(log, "t", [b"1", b"2"])
        where = (await log.append("t", key=b"k", value=b"3")).topic_partition
        await log.commit("g", {where: 1})

    async with DurableLog(tmp_path) as log:
        assert len(log.partitions("t")) == 2
        assert log.committed("g") == {where: 1}
        assert await read_values(log, "t") == [b"1", b"2", b"3"]
        assert (await log.append("t", key=b"k", value=b"4"))[2:4] == (where, 3)
        assert await read_values(log, "t") == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("after", [10, 1_500])
def test_kill_9_in_mid_append_leaves_every_acknowledged_record(tmp_path: Path, after: int) -> None:
    process = run(APPENDING, tmp_path)
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if len(printed) == after:
            process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    acknowledged = dict(re.findall(r"^(\d+ \d+) (\d+:\d+)$", "".join(printed), re.MULTILINE))
    assert len(acknowledged) >= after - 1

    async def found() -> None:
        async with DurableLog(tmp_path) as log:
            records = {f"{one.partition} {one.offset}": one.value.decode() for one in await read_all(log, "t")}
            assert acknowledged.items() <= records.items()
            for partition in log.partitions("t"):
                offsets = sorted(
                    int(place.split()[1]) for place in records if place.startswith(f"{partition.name.partition} ")
                )
                assert offsets == list(range(partition.end))
            await log.append("t", key=b"0", value=b"after")

    asyncio.run(found())


def test_a_second_process_is_refused_naming_the_folder_and_what_to_do(tmp_path: Path) -> None:
    holder = run(HOLDING, tmp_path)
    assert holder.stdout is not None

    async def open_and_close() -> None:
        async with DurableLog(tmp_path):
            pass

    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(
            DataFolderInUse, match="stop that one first, or start this one on another folder"
        ) as refused:
            asyncio.run(open_and_close())
        assert f"the data folder {tmp_path} is in use by process {holder.pid}" in str(refused.value)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    asyncio.run(open_and_close())  # the dead hold nothing


async def test_a_second_log_of_this_process_is_refused_too(log: DurableLog) -> None:
    with pytest.raises(DataFolderInUse, match="in use by process"):
        await DurableLog(log.folder).start()


async def test_a_transport_that_is_stopped_has_closed_its_log(tmp_path: Path) -> None:
    transport = EmbeddedTransport(tmp_path)
    await transport.start()
    await transport.start()
    await transport.create_topics([Topic("t", 1)])
    await transport.ping(60)
    await transport.stop()
    await transport.stop()
    with pytest.raises(KafkaConnectionError, match="not running"):
        await transport.ping(60)
    with pytest.raises(KafkaConnectionError, match="not running"):
        await transport.append("t", key=b"k", value=b"v")


async def test_a_stop_waits_for_what_was_appended(tmp_path: Path) -> None:
    log = DurableLog(tmp_path)
    await log.start()
    await log.create_topics([Topic("t", 1)])
    future = log.append("t", key=b"k", value=b"v")
    await log.stop()
    assert (await future).offset == 0
    async with log:
        assert await read_values(log, "t") == [b"v"]


async def test_a_disk_that_fails_refuses_and_is_tried_anew(log: DurableLog, monkeypatch: pytest.MonkeyPatch) -> None:
    await log.create_topics([Topic("t", 1)])
    await fill(log, "t", [b"before"])
    real = storage.insert_records

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(storage, "insert_records", full)
    refused = [log.append("t", key=b"k", value=b"lost") for _ in range(5)]
    for outcome in await asyncio.gather(*refused, return_exceptions=True):
        assert isinstance(outcome, KafkaStorageError)
        assert "disk is full" in str(outcome)
    monkeypatch.setattr(storage, "insert_records", real)

    await fill(log, "t", [b"after"])
    assert await read_values(log, "t") == [b"before", b"after"]


async def test_records_damaged_on_disk_are_not_handed_out(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 1)])
        await fill(log, "t", [b"precious"])
    with sqlite3.connect(tmp_path / "messages.db") as connection:
        connection.execute("UPDATE records SET value = ?", (b"pr3cious",))
    connection.close()

    async with DurableLog(tmp_path) as log:
        with pytest.raises(CorruptRecordException, match="t-0: the record at offset 0 is damaged"):
            await read_all(log, "t")


@pytest.mark.parametrize("version", [1, 2, 99])
async def test_a_file_of_another_version_is_refused_with_a_remedy(tmp_path: Path, version: int) -> None:
    async with DurableLog(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "messages.db") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    for _ in range(2):  # the refusal leaves the folder free
        with pytest.raises(UnknownFormat, match=rf"has format {version} and .* start EPIC on another folder"):
            await DurableLog(tmp_path).start()


async def test_whoever_sends_too_much_waits_for_the_disk(log: DurableLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.embedded.log._UNWRITTEN_BYTES", 100_000)
    await log.create_topics([Topic("t", 1)])
    sent = []
    for _ in range(50):
        await log.room.wait()
        sent.append(log.append("t", key=b"k", value=b"x" * 100_000))
        assert sum(not future.done() for future in sent) < 5
    await asyncio.gather(*sent)
    assert log.partition(TopicPartition("t", 0)).end == 50


async def test_a_log_that_could_not_be_opened_lets_the_folder_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_files(folder: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "open_reader", out_of_files)
        with pytest.raises(sqlite3.OperationalError):
            await DurableLog(tmp_path).start()
    async with DurableLog(tmp_path) as log:
        assert log.running

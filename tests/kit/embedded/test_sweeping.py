"""What leaves the embedded log, and what never does."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.embedded import DurableLog, EmbeddedConsumer
from shared.schemas.topics import Topic
from tests.support.logs import fill, read_all, read_values

DAY = 86_400_000


async def test_compaction_keeps_the_newest_of_each_key(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"cleanup.policy": "compact"})])
    for number in range(5):
        for key in (b"a", b"b"):
            await fill(log, "t", [b"%s%d" % (key, number)], key=key)
    await log.append("t", key=b"gone", value=b"v", timestamp_ms=1_000)
    await log.append("t", key=b"gone", value=None, timestamp_ms=1_000)

    await log.sweep(2_000)

    left = [(record.offset, record.key, record.value) for record in await read_all(log, "t")]
    assert left == [(8, b"a", b"a4"), (9, b"b", b"b4"), (11, b"gone", None)]
    assert (await log.append("t", key=b"a", value=b"a5")).offset == 12


async def test_compaction_leaves_young_records_alone(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * DAY)})])
    await fill(log, "t", [b"old1", b"old2"], at=1 * DAY)
    await fill(log, "t", [b"new1", b"new2"], at=8 * DAY)

    await log.sweep(9 * DAY)

    assert await read_values(log, "t") == [b"old2", b"new1", b"new2"]
    await log.sweep(16 * DAY)
    assert await read_values(log, "t") == [b"new2"]


async def test_compaction_waits_until_enough_is_new(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"cleanup.policy": "compact"})])
    for number in range(10):
        await fill(log, "t", [b"v"], key=b"%d" % number)
    await log.sweep(2_000)
    await fill(log, "t", [b"again"] * 3, key=b"0")
    await log.sweep(2_000)
    assert len(await read_all(log, "t")) == 13
    await fill(log, "t", [b"again"] * 20, key=b"0")
    await log.sweep(2_000)
    assert len(await read_all(log, "t")) == 10


async def test_expired_records_go_and_offsets_are_never_used_again(tmp_path: Path) -> None:
    async with DurableLog(tmp_path) as log:
        await log.create_topics([Topic("t", 1, {"retention.ms": str(7 * DAY)})])
        await fill(log, "t", [b"old1", b"old2"], at=1 * DAY)
        await fill(log, "t", [b"new"], at=5 * DAY)
        await log.sweep(9 * DAY)
        assert await read_values(log, "t") == [b"new"]
        assert log.partition(TopicPartition("t", 0)).start == 2
        await log.sweep(30 * DAY)
        assert await read_values(log, "t") == []

    async with DurableLog(tmp_path) as log:
        (partition,) = log.partitions("t")
        assert (partition.start, partition.end) == (3, 3)
        assert (await log.append("t", key=b"k", value=b"next")).offset == 3
        assert await read_values(log, "t") == [b"next"]


async def test_what_is_kept_for_ever_stays(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"retention.ms": -1}), Topic("d", 1)])
    for topic in ("t", "d"):
        await fill(log, topic, [b"v"], at=0)
    await log.sweep(7 * DAY)
    assert (len(await read_all(log, "t")), len(await read_all(log, "d"))) == (1, 1)
    await log.sweep(7 * DAY + 1)
    assert (len(await read_all(log, "t")), len(await read_all(log, "d"))) == (1, 0)


async def test_what_is_appended_while_sweeping_stays(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"retention.ms": 1})])
    await fill(log, "t", [b"old"] * 5)
    appends = [log.append("t", key=b"k", value=b"new", timestamp_ms=9_000) for _ in range(50)]
    await asyncio.gather(log.sweep(9_000), *appends)
    assert await read_values(log, "t") == [b"new"] * 50


async def test_a_reader_behind_what_expired_begins_anew(log: DurableLog) -> None:
    await log.create_topics([Topic("t", 1, {"retention.ms": 1})])
    place = TopicPartition("t", 0)
    await fill(log, "t", [b"1", b"2"])
    consumer = EmbeddedConsumer("t", log=log)
    await consumer.start()
    consumer.seek(place, 0)
    await log.sweep(5_000)
    await fill(log, "t", [b"3"])

    assert [record.value for record in (await consumer.getmany())[place]] == [b"3"]
    assert await consumer.position(place) == 3
    await consumer.stop()


async def test_a_log_sweeps_by_itself(tmp_path: Path) -> None:
    async with DurableLog(tmp_path, sweep_seconds=0.01) as log:
        await log.create_topics([Topic("t", 1, {"retention.ms": 1})])
        await fill(log, "t", [b"old"])
        async with asyncio.timeout(60):
            while log.partitions("t")[0].start == 0:
                await asyncio.sleep(0.01)


Step = tuple[str, int, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4), st.integers(0, 30)),
        st.tuples(st.just("burst"), st.integers(0, 4), st.integers(1, 20)),
        st.tuples(st.just("sweep"), st.just(0), st.integers(0, 50)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_the_newest_of_each_key_and_the_order_stay(steps: list[Step]) -> None:
    async def play(folder: str) -> None:
        spec = Topic("t", 2, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0"})
        written: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        swept = -1
        log = DurableLog(folder)
        await log.start()
        await log.create_topics([spec])
        for number, (what, key, amount) in enumerate(steps):
            if what == "restart":
                await log.stop()
                log = DurableLog(folder)
                await log.start()
            elif what == "sweep":
                await log.sweep(amount)
                swept = max(swept, amount)
            else:
                count, at = (1, amount) if what == "append" else (amount, 10)
                values = [b"%d.%d" % (number, part) for part in range(count)]
                places = await asyncio.gather(
                    *(log.append("t", key=b"%d" % key, value=value, timestamp_ms=at) for value in values)
                )
                for stored, value in zip(places, values, strict=True):
                    place = (stored.partition, stored.offset)
                    assert place not in written
                    written[place] = (b"%d" % key, value)
        left = {(one.partition, one.offset): (one.key, one.value) for one in await read_all(log, "t")}
        await log.stop()
        assert left.items() <= written.items()
        newest = {key: place for place, (key, _) in sorted(written.items())}
        assert set(newest.values()) <= set(left)
        if swept < 0:
            assert left == written

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(folder))

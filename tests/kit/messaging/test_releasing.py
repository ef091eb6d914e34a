"""What a batch that is called back hands back: all from each partition's first record that is not settled."""

from __future__ import annotations

import asyncio
import time

from aiokafka import TopicPartition

from shared.errors import Poison, Unavailable
from shared.messaging.consumer_context import Release, ReleaseReason
from shared.messaging.subscription import Received
from tests.kit.messaging.harness import Harness, batch
from tests.support.messaging import Thing, event, record_of


async def test_a_batch_over_its_patience_keeps_what_is_settled_and_hands_back_the_rest(harness: Harness) -> None:
    release, handled = Release(time.monotonic() + 30), set()

    async def handle(received: Received[Thing]) -> None:
        if received.message.key in ("b", "d"):
            if handled == {"a", "c", "e"}:
                release.deadline = 0.0
            raise Unavailable("away")
        handled.add(received.message.key)

    records = [
        record_of(event("a"), 10, 0),
        record_of(event("b"), 11, 0),
        record_of(event("c"), 12, 0),
        record_of(event("d"), 20, 1),
        record_of(event("e"), 30, 2),
    ]
    assert await harness.settle(harness.each(handle), records, release=release) == ReleaseReason.TOO_SLOW
    assert harness.resume_at() == {("thing.created", 0): 11, ("thing.created", 1): 20, ("thing.created", 2): 31}


async def test_a_rebalance_cuts_short_who_waits_and_lets_work_be_finished(harness: Harness) -> None:
    release, begun, going_on = Release(time.monotonic() + 30), asyncio.Event(), asyncio.Event()

    async def handle(received: Received[Thing]) -> None:
        if received.message.key == "waits":
            raise Unavailable("away")
        begun.set()
        await going_on.wait()

    messages = [event("waits"), event("works", 1), event("works", 2)]
    under_way = asyncio.create_task(harness.settle(harness.each(handle), batch(*messages), release=release))
    await begun.wait()
    release.request(ReleaseReason.REBALANCE, waiting_only=True)
    going_on.set()

    assert await under_way == ReleaseReason.REBALANCE
    assert harness.metrics.render().decode().count('outcome="handled",topic="thing.created"} 2.0') == 1


async def test_a_stop_lets_the_record_in_hand_be_finished_and_begins_no_other(harness: Harness) -> None:
    release, begun, going_on = Release(time.monotonic() + 30), asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def handle(received: Received[Thing]) -> None:
        begun.set()
        await going_on.wait()
        seen.append(received.message.id)

    records = batch(event("a", 1), event("a", 2))
    under_way = asyncio.create_task(harness.settle(harness.each(handle), records, release=release))
    await begun.wait()
    release.request(ReleaseReason.STOPPING)
    going_on.set()

    assert await under_way == ReleaseReason.STOPPING
    assert seen == ["a:1"]
    assert harness.resume_at() == {("thing.created", 0): 1}


async def test_a_poison_in_a_released_batch_is_a_dead_letter_before_it_is_passed(harness: Harness) -> None:
    release, given_up = Release(time.monotonic() + 30), False

    async def handle(received: Received[Thing]) -> None:
        nonlocal given_up
        if received.message.key == "bad":
            given_up = True
            raise Poison("never")
        if given_up:
            release.deadline = 0.0
        raise Unavailable("away")

    assert (
        await harness.settle(harness.each(handle), batch(event("bad"), event("a")), release=release)
        == ReleaseReason.TOO_SLOW
    )
    assert [letter["Offset"] for letter in harness.dead_letters()] == [0]
    assert harness.resume_at() == {("thing.created", 0): 1}


async def test_offsets_with_gaps_resume_behind_the_last_record_settled(harness: Harness) -> None:
    release, handled = Release(time.monotonic() + 30), set()

    async def handle(received: Received[Thing]) -> None:
        if received.message.key == "b":
            if handled == {"a", "c"}:
                release.deadline = 0.0
            raise Unavailable("away")
        handled.add(received.message.key)

    records = [record_of(event(key), offset) for key, offset in (("a", 3), ("b", 9), ("c", 17))]
    assert await harness.settle(harness.each(handle), records, release=release) == ReleaseReason.TOO_SLOW
    assert harness.settlement is not None
    assert harness.settlement.offsets() == {TopicPartition("thing.created", 0): 4}

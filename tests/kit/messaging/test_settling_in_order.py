"""One batch: keys concurrently, a key in order, each effect under its record's trace; a bulk at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from shared.errors import Unavailable
from shared.messaging.subscription import (
    Received,
)
from shared.trace import add_trace_ids, current_trace
from tests.kit.messaging.harness import Harness, batch
from tests.support.messaging import Thing, event, raw, record_of


async def test_records_of_a_key_go_in_order_while_keys_go_concurrently(harness: Harness) -> None:
    seen: list[str] = []
    most = running = 0

    async def handle(received: Received[Thing]) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        seen.append(received.message.id)

    messages = [event(key, version) for version in range(1, 6) for key in "abcdef"]
    assert await harness.settle(harness.each(handle), batch(*messages), concurrency=4) is None

    for key in "abcdef":
        assert [one for one in seen if one.startswith(key)] == [f"{key}:{version}" for version in range(1, 6)]
    assert most == 4


async def test_a_key_s_records_of_several_topics_wait_for_each_other(harness: Harness) -> None:
    running: set[str] = set()
    seen, overlapping = [], []

    async def handle(received: Received[Thing]) -> None:
        if received.message.key in running:
            overlapping.append(received.message.id)
        running.add(received.message.key)
        await asyncio.sleep(0.001)
        running.discard(received.message.key)
        seen.append(received.message.id)

    updated = [event("a", 2, topic="thing.updated"), event("a", 3, topic="thing.updated")]
    records = [record_of(event("a", 1))]
    records += [
        raw(
            "thing.updated",
            b"a",
            one.data,
            [*record_of(one).headers[:2], ("ce_type", b"thing.updated"), *record_of(one).headers[3:]],
            offset=offset,
        )
        for offset, one in enumerate(updated)
    ]

    assert await harness.settle(harness.each(handle), records) is None
    assert (seen, overlapping) == (["a:1", "a:2", "a:3"], [])


async def test_every_effect_is_bound_to_its_record_s_trace_also_in_the_log(harness: Harness) -> None:
    seen: dict[str, list[tuple[str | None, str | None]]] = {}

    async def handle(received: Received[Thing]) -> None:
        trace = current_trace()
        structlog.get_logger().info("handled", id=received.message.id)
        seen[received.message.id] = [(trace.correlation_id, trace.causation_id)]

    with structlog.testing.capture_logs(processors=[add_trace_ids]) as lines:
        await harness.settle(harness.each(handle), batch(event("a", 1), event("b", 1), event("a", 2)))
    for line in lines:
        if line["event"] == "handled":
            seen[line["id"]].append((line.get("correlation_id"), line.get("causation_id")))

    assert seen == {name: [("corr", name)] * 2 for name in ("a:1", "b:1", "a:2")}


async def test_a_bulk_handler_gets_the_whole_batch_in_order(harness: Harness) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received[Thing]]) -> None:
        batches.append([one.message.id for one in received])

    messages = [event(key, version) for version in (1, 2) for key in "abc"]
    assert await harness.settle(harness.bulk(handle), batch(*messages)) is None
    assert batches == [[message.id for message in messages]]


async def test_a_bulk_handler_that_fails_is_asked_one_by_one_and_only_the_bad_one_dies(harness: Harness) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received[Thing]]) -> None:
        batches.append([one.message.id for one in received])
        if any(one.message.key == "bad" for one in received):
            raise ValueError("duplicate key")

    assert await harness.settle(harness.bulk(handle), batch(event("a"), event("bad"), event("b"))) is None

    assert batches[0] == ["a:1", "bad:1", "b:1"]
    assert sorted(one for one in batches[1:] if "bad:1" not in one) == [["a:1"], ["b:1"]]
    assert [letter["Reason"] for letter in harness.dead_letters()] == ["ValueError: duplicate key"]


async def test_a_bulk_handler_waits_for_a_store_that_is_away(harness: Harness) -> None:
    sizes: list[int] = []

    async def handle(received: Sequence[Received[Thing]]) -> None:
        sizes.append(len(received))
        if len(sizes) < 10:
            raise Unavailable("away")

    assert await harness.settle(harness.bulk(handle), batch(event("a"), event("b"))) is None
    assert sizes == [2] * 10


async def test_undecodable_ones_stay_out_of_a_bulk(harness: Harness) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received[Thing]]) -> None:
        batches.append([one.message.id for one in received])

    records = [record_of(event("a"), 0), raw("thing.created", b"x", b"{}", (), offset=1), record_of(event("b"), 2)]
    assert await harness.settle(harness.bulk(handle), records) is None
    assert batches == [["a:1", "b:1"]]
    assert [letter["Offset"] for letter in harness.dead_letters()] == [1]

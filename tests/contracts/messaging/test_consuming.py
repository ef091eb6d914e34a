"""Consuming at least once, alike on the embedded log and on a real Kafka: every record, its key's in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from aiokafka import TopicPartition

from shared.durability.backoff import Backoff
from shared.envelope import encode_headers
from shared.errors import Unavailable
from shared.messaging.consumer_context import Tuning
from shared.messaging.subscription import Received
from tests.contracts.messaging.harness import Harness, Seen
from tests.support.messaging import Thing
from tests.support.waiting import until


async def test_every_record_is_handled_and_committed(harness: Harness) -> None:
    seen = Seen()
    await harness.consuming(harness.each(seen.take))
    await harness.send(*(harness.event(f"key-{number}") for number in range(300)))

    await until(lambda: len(seen) >= 300, "300 handled")
    assert sorted(seen) == sorted(f"key-{number}:1" for number in range(300))
    await harness.all_committed(300)


async def test_a_key_s_records_stay_in_order_while_keys_run_concurrently(harness: Harness) -> None:
    seen: list[str] = []
    most = running = 0

    async def handle(received: Received[Thing]) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        seen.append(received.message.id)

    await harness.send(*(harness.event(f"key-{key}", version) for version in range(1, 11) for key in range(20)))
    await harness.consuming(harness.each(handle))

    await until(lambda: len(seen) >= 200, "200 handled")
    for key in range(20):
        assert [one for one in seen if one.startswith(f"key-{key}:")] == [f"key-{key}:{v}" for v in range(1, 11)]
    assert most > 1


async def test_a_bulk_handler_gets_a_batch_of_several_partitions_which_is_rewound_on_each(harness: Harness) -> None:
    batches: list[list[tuple[int, str]]] = []

    async def handle(received: Sequence[Received[Thing]]) -> None:
        batches.append([(one.record.partition, one.message.id) for one in received])
        if len(batches) == 1:
            raise Unavailable("away")

    for partition in range(3):
        for number in range(5):
            event = harness.event(f"p{partition}-{number}")
            await harness.send_raw(harness.created, event.data, encode_headers(event), event.key.encode(), partition)
    await harness.consuming(harness.bulk(handle), Tuning(patience=0.01, transient=Backoff(5.0, 5.0)))

    await until(lambda: len({one for batch in batches[1:] for one in batch}) == 15, "all of them again")
    await harness.all_committed(15)
    assert max(len({partition for partition, _ in batch}) for batch in batches) > 1


async def test_structured_mode_is_taken(harness: Harness) -> None:
    seen = Seen()
    envelope = {
        "specversion": "1.0",
        "id": "structured",
        "source": "kcat",
        "type": "thing.created",
        "data": {"ThingId": "a", "VersionId": 1},
    }
    await harness.consuming(harness.each(seen.take))
    await harness.send_raw(harness.created, orjson.dumps(envelope), [("content-type", b"application/cloudevents+json")])

    await until(lambda: seen == ["structured"], "handled")


async def test_sparse_messages_do_not_wait_for_a_poll(harness: Harness) -> None:
    """No fetch comes back empty, however short FastStream asks it to be: after one that did, FastStream sleeps."""
    seen, fetched = Seen(), []
    consumer = await harness.consuming(harness.each(seen.take))
    subscriber = consumer._subscriber.faststream
    fetch, subscriber.batch_timeout_ms = subscriber.consumer.getmany, 1

    async def noted(*places: TopicPartition, **options: Any) -> dict[TopicPartition, Any]:
        fetched.append(await fetch(*places, **options))
        return fetched[-1]

    subscriber.consumer.getmany = noted
    for number in range(15):
        await harness.send(harness.event(f"key-{number}"))
        await until(lambda number=number: len(seen) > number, "arrived")  # type: ignore[misc]

    assert len(fetched) >= 14, "all but the first, which was asked for before"
    assert all(fetched)

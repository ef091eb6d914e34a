"""Publishing, alike on the embedded log and on a real Kafka: acknowledged, a key in order, a failure reported."""

from __future__ import annotations

import asyncio

import orjson

from shared.errors import MessageTooLarge, Unavailable
from shared.messaging.transport import RECORD_BYTES
from tests.contracts.messaging.harness import Harness


async def test_what_is_acknowledged_lies_there_and_a_key_s_messages_in_their_order(harness: Harness) -> None:
    events = [harness.event(f"key-{key}", version) for version in range(1, 6) for key in range(40)]

    assert await harness.publisher.publish(events) == [None] * 200

    read = [message.id for message in await harness.read(harness.created)]
    assert sorted(read) == sorted(event.id for event in events)
    for key in range(40):
        assert [one for one in read if one.startswith(f"key-{key}:")] == [f"key-{key}:{v}" for v in range(1, 6)]


async def test_a_message_too_large_fails_alone_and_ends_its_key(harness: Harness) -> None:
    large = harness.event("big", 2, orjson.dumps({"ThingId": "big", "VersionId": 2, "Note": "x" * RECORD_BYTES}))

    outcome = await harness.publisher.publish(
        [harness.event("big", 1), large, harness.event("big", 3), harness.event("small")]
    )

    assert outcome[0] is None
    assert isinstance(outcome[1], MessageTooLarge)
    assert f"larger than a message may be ({RECORD_BYTES})" in str(outcome[1])
    assert isinstance(outcome[2], Unavailable)
    assert outcome[3] is None
    assert sorted(message.id for message in await harness.read(harness.created)) == ["big:1", "small:1"]
    assert await harness.publisher.publish([harness.event("big", 3)]) == [None]


async def test_many_publish_at_once_by_one_publisher(harness: Harness) -> None:
    batches = [[harness.event(f"p{number}-{key}") for key in range(20)] for number in range(10)]

    outcomes = await asyncio.gather(*map(harness.publisher.publish, batches))

    assert outcomes == [[None] * 20] * 10
    assert len(await harness.read(harness.created)) == 200

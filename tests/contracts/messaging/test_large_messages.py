"""Large messages: as large as any may be they are consumed, and what cannot be handled of them is a dead letter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from shared.errors import MessageTooLarge
from shared.messaging import publisher as publisher_module
from shared.messaging.kafka import KafkaTransport
from shared.messaging.subscription import Received
from shared.messaging.transport import RECORD_BYTES, Transport, partition_of
from shared.schemas.topics import Topic
from shared.trace import new_id
from tests.contracts.messaging.harness import Harness
from tests.support.messaging import Thing
from tests.support.waiting import until

pytestmark = pytest.mark.slow

_ALMOST = RECORD_BYTES - 2_000
_HEADERS = [("ce_id", b"1"), ("ce_source", b"t"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]


def data(key: str, size: int) -> bytes:
    """A thing's JSON of so many bytes, what it has over its contract passed over by whoever reads it."""
    frame: dict[str, Any] = {"ThingId": key, "VersionId": 1, "Note": ""}
    return orjson.dumps({**frame, "Note": "x" * (size - len(orjson.dumps(frame)))})


@pytest.mark.parametrize("together", [False, True])
async def test_messages_of_any_size_are_consumed_in_their_order(harness: Harness, together: bool) -> None:
    seen: list[tuple[str, int]] = []

    async def take(received: Received[Thing]) -> None:
        seen.append((received.message.id, len(received.message.data)))

    async def take_all(batch: Sequence[Received[Thing]]) -> None:
        for received in batch:
            await take(received)

    sizes = [100, 1_700_000, 100, 1_900_000, _ALMOST, 100]
    sent = [harness.event("big", version, data("big", size)) for version, size in enumerate(sizes, 1)]
    await harness.consuming(harness.bulk(take_all) if together else harness.each(take))

    await harness.send(*sent)

    await until(lambda: len(seen) == 6, "all of them")
    assert seen == [(f"big:{version}", size) for version, size in enumerate(sizes, 1)]


async def test_more_than_kafka_takes_in_one_request_goes_in_several(transport: Transport) -> None:
    harness = Harness(transport, new_id()[:8], partitions=24)
    harness.publisher._patience = 300
    keys = {partition_of(b"%d" % number, range(24), ()): str(number) for number in range(1_000)}.values()
    await harness.start()
    try:
        assert (
            await harness.publisher.publish([harness.event(key, 1, data(key, 4_600_000)) for key in keys])
            == [None] * 24
        )
        assert sum((await transport.end_offsets(harness.created)).values()) == 24
    finally:
        await harness.stop()


@pytest.mark.parametrize(
    ("key", "value", "header"),
    [
        (b"k", b"{" * _ALMOST, b""),
        (b"k" * _ALMOST, b"{", b""),
        (b"k", b"{", b"\xff" * _ALMOST),
        (b"k" * 400_000, b"{" * 400_000, b"\x00" * 400_000),
    ],
)
async def test_the_largest_record_is_a_dead_letter_that_says_what_it_left_behind(
    harness: Harness, key: bytes, value: bytes, header: bytes
) -> None:
    await harness.send_raw(harness.created, value, [*_HEADERS, ("ce_correlationid", header)], key=key, partition=0)
    await harness.consuming(harness.each(_nothing))
    await harness.storing_dead_letters()

    await until(lambda: harness.letters.letters, "a dead letter")
    (letter,) = harness.letters.letters.values()
    assert f"are left in {harness.created}, not copied here" in letter.reason
    assert letter.value is None
    await harness.all_committed(1)


async def _nothing(_: Received[Thing]) -> None:
    return None


@pytest.mark.docker
async def test_a_topic_that_takes_less_refuses_alone_and_says_what_to_set(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "TOO_LARGE_PAUSE", 600.0)
    transport: Transport = KafkaTransport(kafka_bootstrap)
    await transport.start()
    harness = Harness(transport, new_id()[:8], partitions=1)
    await transport.create_topics([Topic(harness.created, 1, {"max.message.bytes": 100_000})])
    try:
        large = harness.event("big", 1, data("big", 400_000))
        (error,) = await harness.publisher.publish([large])
        assert isinstance(error, MessageTooLarge)
        assert f"larger than a message to {harness.created} may be: set the topic's max.message.bytes to" in str(error)

        await until_sent(harness, "small")
        assert (await harness.publisher.publish([large]))[0] is error
        await harness.start()  # which raises what the topic takes
        monkeypatch.setattr(publisher_module, "TOO_LARGE_PAUSE", 0.0)
        await until_sent(harness, "big", large.data)
    finally:
        await harness.stop()
        await transport.stop()


async def until_sent(harness: Harness, key: str, content: bytes | None = None) -> None:
    """The producer may be a new one after a refusal: as a relay does, this tries until it goes."""
    message = harness.event(key, 1, content)

    async def sent() -> bool:
        return await harness.publisher.publish([message]) == [None]

    await until(sent, f"{key} is sent")

"""Every message type of the registry has a golden, and what EPIC writes and reads agrees with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from shared.cause import Cause
from shared.envelope import Message, decode, encode_headers, plain_type
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Handler, Subscription
from shared.schemas.results import Accepted
from shared.schemas.topics import TOPICS, MessageType, Topic, golden_path
from tests.support.clock import FixedClock
from tests.support.goldens import golden

TYPES = [(topic, kind) for topic in TOPICS.values() for kind in topic.messages]
EACH_TYPE = pytest.mark.parametrize(
    ("topic", "kind"), TYPES, ids=[f"{topic.name}-{kind.ce_type}" for topic, kind in TYPES]
)


def record(message: Message, value: bytes | None = None, headers: list[tuple[str, bytes]] | None = None) -> Any:
    value = message.data if value is None else value
    headers = encode_headers(message) if headers is None else headers
    key = message.key.encode()
    return ConsumerRecord(message.topic, 0, 7, 1718442000000, 0, key, value, None, len(key), len(value), tuple(headers))


@EACH_TYPE
def test_its_data_validates_strictly_and_comes_out_as_it_went_in(topic: Topic, kind: MessageType) -> None:
    body = golden(topic.name, kind.ce_type).body()

    data = kind.model.model_validate(body)

    assert data.model_dump(mode="json", by_alias=True, exclude_unset=True) == body
    assert {name: value for name, value in data.wire().items() if name in body} == without_nulls(body)


@EACH_TYPE
def test_it_round_trips_through_the_headers_of_binary_mode(topic: Topic, kind: MessageType) -> None:
    message = golden(topic.name, kind.ce_type)

    assert decode(record(message)) == message
    assert plain_type(record(message)) == message.type.encode()


@EACH_TYPE
def test_the_file_itself_is_the_same_message_in_structured_mode(topic: Topic, kind: MessageType) -> None:
    message = golden(topic.name, kind.ce_type)
    structured = [("content-type", b"application/cloudevents+json; charset=UTF-8")]

    found = decode(record(message, golden_path(topic.name, kind.ce_type).read_bytes(), structured))

    assert replace(found, data=orjson.dumps(found.body())) == message, "the file's data is indented"


@EACH_TYPE
async def test_a_consumer_reads_it_also_when_a_newer_producer_says_more(topic: Topic, kind: MessageType) -> None:
    message = golden(topic.name, kind.ce_type)
    if topic.name.endswith(".commands"):
        assert type(await obeyed(topic, message)) is kind.model
        return
    newer = orjson.dumps({**message.body(), "AddedInVersion9": {"any": "thing"}})
    subscription = Subscription("test.golden", Handler(kind.model, (topic.name,), bulk=ignore))
    received = subscription.read(record(message, newer))

    assert type(received.data) is kind.model
    assert received.message.id == message.id


@EACH_TYPE
def test_its_type_key_and_producer_are_the_registrys(topic: Topic, kind: MessageType) -> None:
    message = golden(topic.name, kind.ce_type)

    assert kind.ce_type in ("*", message.type)
    assert message.key
    assert message.subject == message.key
    if "anyone" not in topic.producers and not topic.name.endswith(".dlq"):
        assert message.source in topic.producers


def test_there_is_no_golden_of_a_type_that_is_gone() -> None:
    wanted = {golden_path(topic.name, kind.ce_type) for topic, kind in TYPES}

    assert set(golden_path("x", "y").parent.glob("*.json")) == wanted


async def ignore(received: Any) -> None:
    """A use case that does nothing."""


async def obeyed(topic: Topic, message: Message) -> Any:
    """The command as its use case is given it."""
    given: list[Any] = []

    async def accept(command: Any, cause: Cause) -> Accepted:
        given.append(command)
        return Accepted()

    known: list[Command[Any]] = [Command(kind.model, accept, "any.thing") for kind in topic.messages]
    subscription = CommandSubscription(topic.name, known)
    await subscription.handle(subscription.read(record(message)), FixedClock("2024-05-01T09:00:00Z"))
    return given[0]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value

"""The blocking consumer: a topic in a plain loop, a command and its answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.cause import Cause
from shared.errors import Conflict, Poison, Unavailable
from shared.messaging.topic_client import ensure_topics, follow, read_record, request
from shared.messaging.transport import Transport
from shared.schemas.results import Accepted, Outcome
from shared.schemas.topics import TOPICS
from tests.contracts.messaging.harness import Harness
from tests.support.messaging import MakeThing

PATIENCE = 180.0


async def test_a_topic_is_read_from_its_beginning_to_its_present_end(harness: Harness) -> None:
    events = [harness.event(f"key-{number:02}") for number in range(50)]
    await harness.send(*events)

    read = await harness.read(harness.created)

    assert sorted(read, key=lambda one: one.id) == [replace(event, subject=event.key) for event in events]


async def test_an_empty_topic_ends_at_once(harness: Harness) -> None:
    assert await harness.read(harness.created) == []


async def test_an_unknown_topic_is_an_error(harness: Harness) -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        await harness.read(f"nothing{harness.suffix}")


async def test_from_latest_only_what_comes_is_read(harness: Harness) -> None:
    await harness.send(harness.event("old"))
    following: Any = follow(harness.transport, harness.created, since="latest")
    first = asyncio.ensure_future(anext(following))
    while not first.done():
        await harness.send(harness.event("new"))
        await asyncio.wait({first}, timeout=0.2)

    assert first.result().id == "new:1"
    await following.aclose()


async def test_from_a_time_on_what_was_written_since_is_read(harness: Harness) -> None:
    await harness.send(harness.event("old"))
    await asyncio.sleep(0.01)  # so that the two have different milliseconds
    since = datetime.now(UTC)
    await harness.send(harness.event("new"))

    read = [message.id async for message in follow(harness.transport, harness.created, since=since, to_end=True)]

    assert read == ["new:1"]


async def test_a_group_goes_on_where_it_was(harness: Harness) -> None:
    group = f"{harness.service}.reading"
    await harness.send(harness.event("a"), harness.event("b"))
    first = [one.id async for one in follow(harness.transport, harness.created, group=group, to_end=True)]
    await harness.send(harness.event("c"))
    second = [one.id async for one in follow(harness.transport, harness.created, group=group, to_end=True)]

    assert sorted(first) == ["a:1", "b:1"]
    assert second == ["c:1"]


async def test_a_record_that_is_no_cloud_event_is_raised_or_reported(harness: Harness) -> None:
    await harness.send_raw(harness.created, b"{}")
    reasons: list[str] = []

    with pytest.raises(Poison):
        await harness.read(harness.created)
    following = follow(
        harness.transport, harness.created, to_end=True, poison=lambda record, error: reasons.append(str(error))
    )
    assert [one async for one in following] == []
    assert "ce_id" in reasons[0]


async def test_one_record_is_read_by_its_place(harness: Harness) -> None:
    await harness.send_raw(harness.created, b"one", partition=1)
    await harness.send_raw(harness.created, b"two", partition=1)

    found = await read_record(harness.transport, harness.created, 1, 1)

    assert found is not None
    assert found.value == b"two"
    assert await read_record(harness.transport, harness.created, 1, 2) is None


async def test_a_command_is_asked_and_its_answer_awaited(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        if command.thing_id == "there":
            raise Conflict("there already")
        return Accepted(command.thing_id, 1)

    await harness.consumer(harness.commanded(make)).start()

    made = await request(harness.transport, harness.command("new"), results=harness.results, patience=PATIENCE)
    refused = await request(
        harness.transport,
        harness.command("there"),
        results=harness.results,
        publisher=harness.publisher,
        patience=PATIENCE,
    )

    assert (made.outcome, made.id, made.version_id) == (Outcome.ACCEPTED, "new", 1)
    assert refused.outcome is Outcome.REFUSED
    assert refused.problem is not None
    assert refused.problem["detail"] == "there already"


async def test_asking_twice_by_one_id_is_answered_twice_alike(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(command.thing_id, 1)

    await harness.consumer(harness.commanded(make)).start()
    command = harness.command("a", "c1")

    first, again = [
        await request(harness.transport, command, results=harness.results, patience=PATIENCE) for _ in range(2)
    ]

    assert first == again


async def test_a_command_nobody_answers_is_unavailable(harness: Harness) -> None:
    with pytest.raises(Unavailable, match="MakeThing c1 was not answered within"):
        await request(harness.transport, harness.command("a", "c1"), results=harness.results, patience=0.5)


async def test_the_registry_s_topics_come_to_be_with_their_partitions_and_again_is_no_harm(
    transport: Transport,
) -> None:
    await ensure_topics(transport)
    await ensure_topics(transport, "event_svc")

    for name in ("fleet.created", "event.commands", "command.results", "hotw_svc.dlq"):
        assert len(await transport.end_offsets(name)) == TOPICS[name].partitions

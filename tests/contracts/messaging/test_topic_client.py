"""A topic read in a plain loop, one record by its place, a command and its answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from epic.failure import CommandFailed
from epic.messages import TransportMessages
from shared.cause import Cause
from shared.envelope import Message, decode
from shared.errors import Conflict
from shared.messaging.transport import Transport, ensure_topics, follow_records, read_record
from shared.schemas.results import Accepted, CommandResult, Outcome
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


async def test_from_the_end_only_what_comes_is_read(harness: Harness) -> None:
    await harness.send(harness.event("old"))
    end = await harness.transport.end_offsets(harness.created)
    async with aclosing(follow_records(harness.transport, harness.created, end)) as following:
        first = asyncio.ensure_future(anext(following))
        await harness.send(harness.event("new"))

        assert decode(await first).id == "new:1"


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

    made = await asked(harness, harness.command("new"))
    refused = await asked(harness, harness.command("there"))

    assert (made.outcome, made.id, made.version_id) == (Outcome.ACCEPTED, "new", 1)
    assert refused.outcome is Outcome.REFUSED
    assert refused.problem is not None
    assert refused.problem["detail"] == "there already"


async def test_asking_twice_by_one_id_is_answered_twice_alike(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(command.thing_id, 1)

    await harness.consumer(harness.commanded(make)).start()
    command = harness.command("a", "c1")

    first, again = [await asked(harness, command) for _ in range(2)]

    assert first == again


async def test_a_command_nobody_answers_fails_in_time(harness: Harness) -> None:
    with pytest.raises(CommandFailed, match="MakeThing c1 was not answered within"):
        await asked(harness, harness.command("a", "c1"), patience=0.5)


async def test_the_registry_s_topics_come_to_be_with_their_partitions_and_again_is_no_harm(
    transport: Transport,
) -> None:
    await ensure_topics(transport)
    await ensure_topics(transport, "event_svc")

    for name in ("fleet.created", "event.commands", "command.results", "hotw_svc.dlq"):
        assert len(await transport.end_offsets(name)) == TOPICS[name].partitions


async def asked(harness: Harness, command: Message, patience: float = PATIENCE) -> CommandResult:
    """The command's result, as ``epic send`` gets it."""
    messages = TransportMessages(harness.transport, "the broker")
    return await messages.request(command, patience=patience, results_topic=harness.results)

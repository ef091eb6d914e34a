"""Consumers that crash, stop or share their group: what is committed is done, what is not is delivered again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.cause import Cause
from shared.messaging.consumer_context import Tuning
from shared.messaging.subscription import Received
from shared.schemas.results import Accepted, CommandResult, Outcome
from tests.contracts.messaging.harness import Harness
from tests.support.messaging import MakeThing, Thing
from tests.support.waiting import eventually, until


async def test_a_crash_before_the_commit_has_the_batch_delivered_again(harness: Harness) -> None:
    seen: list[str] = []
    hang = asyncio.Event()

    async def handle(received: Received[Thing]) -> None:
        seen.append(received.message.id)
        if len(seen) > 5:
            await hang.wait()

    await harness.send(*(harness.event(f"key-{number}") for number in range(20)))
    crashed = await harness.consuming(harness.each(handle))
    await until(lambda: len(seen) > 5, "under way")
    assert crashed._subscriber is not None
    for task in crashed._subscriber.faststream.tasks:  # as a crash: no commit, no goodbye to the batch
        task.cancel()
    await until(lambda: crashed.halted(), "its loop is gone")
    assert await harness.committed() == {}
    await crashed.stop()

    hang.set()
    again: list[str] = []

    async def handle_again(received: Received[Thing]) -> None:
        again.append(received.message.id)

    await harness.consuming(harness.each(handle_again))
    await until(lambda: len(again) == 20, "all of them again")


async def test_answers_are_published_before_the_commit(harness: Harness) -> None:
    committed_when_answered: list[int] = []
    original = harness.publisher.publish

    async def publish(messages: Sequence[object]) -> list[Exception | None]:
        committed_when_answered.append(sum((await harness.committed("commands", harness.commands)).values()))
        return await original(messages)  # type: ignore[arg-type]

    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(command.thing_id, 1)

    await harness.send(harness.command("a", "c1"), harness.command("b", "c2"))
    harness.publisher.publish = publish  # type: ignore[method-assign]
    consumer = harness.consumer(harness.commanded(make))
    await consumer.start()

    answers = await eventually(lambda: harness.read(harness.results), lambda answers: len(answers) == 2, "two answers")
    results = [CommandResult.model_validate(answer.body()) for answer in answers]
    assert {(result.command_id, result.outcome) for result in results} == {
        ("c1", Outcome.ACCEPTED),
        ("c2", Outcome.ACCEPTED),
    }
    assert {answer.trace.causation_id for answer in answers} == {"c1", "c2"}
    assert set(committed_when_answered) == {0}
    await eventually(
        lambda: harness.committed("commands", harness.commands),
        lambda offsets: sum(offsets.values()) == 2,
        "both committed",
    )


async def test_two_replicas_share_the_partitions_and_hand_over_without_a_loss(harness: Harness) -> None:
    seen: list[tuple[str, str]] = []
    running: set[str] = set()
    overlapped: list[str] = []

    def replica(name: str):  # type: ignore[no-untyped-def]
        async def handle(received: Received[Thing]) -> None:
            key = received.message.key
            if key in running:
                overlapped.append(key)
            running.add(key)
            await asyncio.sleep(0.002)
            running.discard(key)
            seen.append((name, received.message.id))

        return harness.each(handle)

    enough = asyncio.Event()
    first = await harness.consuming(replica("one"))
    sending = asyncio.create_task(_send_until(harness, enough))
    await until(lambda: len(seen) > 600, "the first is at work")  # a twentieth of it is more than all keys in hand
    await harness.consuming(replica("two"))
    await until(lambda: any(name == "two" for name, _ in seen), "the second is at work")
    await first.stop()
    enough.set()
    sent = await sending

    await until(lambda: {one for _, one in seen} == set(sent), "all handled")
    await harness.all_committed(len(sent))
    for key in {one.partition(":")[0] for one in sent}:
        versions = [int(one.partition(":")[2]) for _, one in seen if one.startswith(f"{key}:")]
        assert list(dict.fromkeys(versions)) == sorted(set(versions))
    assert overlapped == []
    assert len(seen) - len(sent) < len(sent) / 20, "a handover repeats next to nothing"


async def _send_until(harness: Harness, enough: asyncio.Event) -> list[str]:
    sent: list[str] = []
    version = 0
    while not enough.is_set():
        version += 1
        events = [harness.event(f"key-{key}", version) for key in range(15)]
        await harness.send(*events)
        sent += [event.id for event in events]
        await asyncio.sleep(0.02)
    return sent


async def test_a_stop_leaves_nothing_half_done_and_a_start_goes_on_there(harness: Harness) -> None:
    seen: list[str] = []

    async def handle(received: Received[Thing]) -> None:
        await asyncio.sleep(0.002)
        seen.append(received.message.id)

    await harness.send(*(harness.event(f"key-{number}") for number in range(200)))
    consumer = await harness.consuming(harness.each(handle), Tuning(concurrency=2))
    await until(lambda: len(seen) > 20, "under way")
    await consumer.stop()
    handled = len(seen)
    assert handled < 200

    await consumer.start()
    await until(lambda: len(set(seen)) == 200, "the rest handled")
    await harness.all_committed(200)

"""Consuming at least once, alike on the embedded log and on a real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import orjson
import pytest

from shared.errors import Unavailable
from shared.messaging.consumer import Consumer, ConsumerState, Tuning
from shared.messaging.failures import Backoff
from shared.messaging.subscription import Answered, Received, bulk, each
from shared.messaging.transport import KafkaTransport
from shared.schemas.results import CommandResult, Outcome
from tests.contracts.messaging.rig import QUICK, Rig, until


async def eventually_committed(rig: Rig, count: int) -> None:
    deadline = asyncio.get_running_loop().time() + 20
    while not await rig.all_committed(count):
        assert asyncio.get_running_loop().time() < deadline, f"{await rig.committed()} committed, not {count}"
        await asyncio.sleep(0.05)


async def test_every_record_is_handled_and_committed(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        seen.append(received.message.id)

    await rig.consuming(each(handle))
    await rig.send(*(rig.event(f"key-{number}") for number in range(300)))

    await until(lambda: len(seen) >= 300, "300 handled")
    assert sorted(seen) == sorted(f"key-{number}:1" for number in range(300))
    await eventually_committed(rig, 300)


async def test_a_key_s_records_stay_in_order_while_keys_run_concurrently(rig: Rig) -> None:
    seen: list[str] = []
    most = running = 0

    async def handle(received: Received) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        seen.append(received.message.id)

    await rig.send(*(rig.event(f"key-{key}", version) for version in range(1, 11) for key in range(20)))
    await rig.consuming(each(handle))

    await until(lambda: len(seen) == 200, "200 handled")
    for key in range(20):
        assert [one for one in seen if one.startswith(f"key-{key}:")] == [f"key-{key}:{v}" for v in range(1, 11)]
    assert most > 1


async def test_poison_between_good_ones_becomes_dead_letters_and_the_good_ones_go_on(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        seen.append(received.message.id)

    good = [("ce_id", b"1"), ("ce_source", b"t"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]
    await rig.send(rig.event("before"))
    await rig.send_raw(rig.created, b"{not json", good)
    await rig.send_raw(rig.created, b"[1]", good)
    await rig.send_raw(rig.created, b'{"ThingId": "x"}', good)
    await rig.send_raw(rig.created, b"{}", ())
    await rig.send_raw(rig.created, None, good)
    await rig.send_raw(rig.created, b"", good, key=None)
    await rig.send_raw(rig.created, b"{}", [("ce_id", b"\xff\xfe"), *good[1:]])
    await rig.send(rig.event("after"))
    await rig.consuming(each(handle))
    await rig.burying()

    await until(lambda: len(rig.letters.letters) == 7 and len(seen) == 2, "two handled, seven dead letters")
    assert sorted(seen) == ["after:1", "before:1"]
    reasons = sorted(letter.reason for letter in rig.letters.letters.values())
    assert any("ce_id, ce_source, ce_type, ce_specversion missing" in reason for reason in reasons)
    assert all(letter.attempts == 1 for letter in rig.letters.letters.values())
    await eventually_committed(rig, 9)


async def test_a_header_that_is_not_utf_8_costs_only_its_own_record(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        seen.append(received.message.id)

    good = [("ce_id", b"x"), ("ce_source", b"t"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]
    await rig.send_raw(rig.created, b'{"ThingId":"a","VersionId":1}', [*good, ("x-foreign", b"\xff")], partition=0)
    await rig.send(*(rig.event(f"key-{number}") for number in range(20)))
    await rig.consuming(each(handle))

    await until(lambda: len(seen) == 21, "all handled")


async def test_a_handler_that_fails_five_times_makes_a_dead_letter_and_goes_on(rig: Rig) -> None:
    attempts: list[str] = []

    async def handle(received: Received) -> None:
        attempts.append(received.message.id)
        if received.message.key == "bad":
            raise ValueError("no such column")

    await rig.send(rig.event("bad", 1), *(rig.event(f"key-{number}") for number in range(10)))
    await rig.consuming(each(handle))
    await rig.burying()

    await until(lambda: rig.letters.letters, "a dead letter")
    await until(lambda: len(attempts) == 15, "the others handled")
    letter = next(iter(rig.letters.letters.values()))
    assert (letter.reason, letter.attempts) == ("ValueError: no such column", 5)
    assert letter.group == f"{rig.service}.things"
    await eventually_committed(rig, 11)


async def test_while_the_store_is_away_nothing_is_lost_or_dead_and_nothing_is_committed(rig: Rig) -> None:
    away, seen, tries = True, [], 0

    async def handle(received: Received) -> None:
        nonlocal tries
        tries += 1
        if away:
            raise Unavailable("the store is away")
        seen.append(received.message.id)

    patience = Tuning(patience=0.5, transient=Backoff(0.02, 0.1))  # so that batches are handed back on the way
    await rig.send(*(rig.event(f"key-{key}", version) for version in (1, 2, 3) for key in range(30)))
    await rig.consuming(each(handle), patience)
    await rig.burying()
    await until(lambda: rig.metrics.render().decode().count('reason="too-slow"} ') > 0 and tries > 200, "rewinds")

    assert await rig.committed() == {}
    away = False
    await until(lambda: len(set(seen)) == 90, "all handled")
    await eventually_committed(rig, 90)

    assert rig.letters.letters == {}
    for key in range(30):
        assert [one for one in seen if one.startswith(f"key-{key}:")] == [f"key-{key}:{v}" for v in (1, 2, 3)]


async def test_a_crash_before_the_commit_has_the_batch_delivered_again(rig: Rig) -> None:
    seen: list[str] = []
    hang = asyncio.Event()

    async def handle(received: Received) -> None:
        seen.append(received.message.id)
        if len(seen) > 5:
            await hang.wait()

    await rig.send(*(rig.event(f"key-{number}") for number in range(20)))
    crashed = await rig.consuming(each(handle))
    await until(lambda: len(seen) > 5, "under way")
    assert crashed._subscriber is not None
    for task in crashed._subscriber.tasks:  # as a crash: no commit, no goodbye to the batch
        task.cancel()
    await until(lambda: crashed.health().state is ConsumerState.STOPPED, "its loop is gone")
    assert await rig.committed() == {}
    await crashed.stop()

    hang.set()
    again: list[str] = []

    async def handle_again(received: Received) -> None:
        again.append(received.message.id)

    await rig.consuming(each(handle_again))
    await until(lambda: len(again) == 20, "all of them again")


async def test_answers_are_published_before_the_commit(rig: Rig) -> None:
    committed_when_answered: list[int] = []
    original = rig.publisher.publish

    async def publish(messages: Sequence[object]) -> list[Exception | None]:
        committed_when_answered.append(sum((await rig.committed(f"{rig.service}.commands")).values()))
        return await original(messages)  # type: ignore[arg-type]

    async def make(received: Received) -> Answered:
        return Answered(received.message.key, 1)

    await rig.send(rig.command("a", "c1"), rig.command("b", "c2"))
    rig.publisher.publish = publish  # type: ignore[method-assign,assignment]
    consumer = rig.consumer(rig.commanded(make))
    await consumer.start()

    deadline = asyncio.get_running_loop().time() + 20
    while len(answers := await rig.read(rig.results)) < 2 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
    results = [CommandResult.model_validate(answer.body()) for answer in answers]
    assert {(result.command_id, result.outcome) for result in results} == {
        ("c1", Outcome.ACCEPTED), ("c2", Outcome.ACCEPTED),
    }  # fmt: skip
    assert {answer.trace.causation_id for answer in answers} == {"c1", "c2"}
    assert set(committed_when_answered) == {0}


async def test_a_batch_that_spans_partitions_is_handed_to_a_bulk_handler_at_once_and_rewound_on_each(rig: Rig) -> None:
    batches: list[list[tuple[int, str]]] = []

    async def handle(received: Sequence[Received]) -> None:
        batches.append([(one.record.partition, one.message.id) for one in received])
        if len(batches) == 1:
            raise Unavailable("away")

    for partition in range(3):
        for number in range(5):
            event = rig.event(f"p{partition}-{number}")
            from shared.messaging.envelope import encode_headers

            await rig.send_raw(rig.created, event.data, encode_headers(event), event.key.encode(), partition)
    await rig.consuming(bulk(handle), Tuning(patience=0.01, transient=Backoff(5.0, 5.0)))

    await until(lambda: len({one for batch in batches[1:] for one in batch}) == 15, "all of them again")
    await eventually_committed(rig, 15)
    assert max(len({partition for partition, _ in batch}) for batch in batches) > 1


async def test_a_bulk_handler_that_fails_is_asked_one_by_one_and_only_the_bad_one_dies(rig: Rig) -> None:
    handled: set[str] = set()

    async def handle(received: Sequence[Received]) -> None:
        if any(one.message.key == "bad" for one in received):
            raise ValueError("duplicate key")
        handled.update(one.message.id for one in received)

    await rig.send(*(rig.event(f"key-{number}") for number in range(30)), rig.event("bad"))
    await rig.consuming(bulk(handle))
    await rig.burying()

    await until(lambda: len(handled) == 30 and rig.letters.letters, "thirty handled, one dead")
    assert [letter.reason for letter in rig.letters.letters.values()] == ["ValueError: duplicate key"]
    await eventually_committed(rig, 31)


async def test_a_consumer_in_which_most_records_fail_stops_and_commits_nothing_past_them(rig: Rig) -> None:
    mended, seen = False, set()

    async def handle(received: Received) -> None:
        if not mended:
            raise ValueError("the code is broken")
        seen.add(received.message.id)

    await rig.send(*(rig.event(f"key-{number}") for number in range(300)))
    consumer = await rig.consuming(each(handle))
    await until(lambda: consumer.health().state is ConsumerState.STOPPED, "stopped")

    assert not consumer.health().moving
    assert "most records fail" in consumer.health().reason
    dead = {letter.body()["Offset"] for letter in await rig.read(f"{rig.service}.dlq")}
    assert sum((await rig.committed()).values()) <= len(dead)

    mended = True
    await consumer.stop()
    await consumer.start()
    await until(lambda: len(seen) >= 300 - len(dead), "all that are not dead letters are handled")
    assert consumer.health().moving


async def test_structured_mode_is_taken(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        seen.append(received.message.id)

    envelope = {
        "specversion": "1.0", "id": "structured", "source": "kcat", "type": "thing.created",
        "data": {"ThingId": "a", "VersionId": 1},
    }  # fmt: skip
    await rig.consuming(each(handle))
    await rig.send_raw(rig.created, orjson.dumps(envelope), [("content-type", b"application/cloudevents+json")])

    await until(lambda: seen == ["structured"], "handled")


async def test_a_dead_letter_is_replayed_after_its_handler_is_mended(rig: Rig) -> None:
    from shared.errors import Conflict

    mended, seen = False, []

    async def handle(received: Received) -> None:
        if not mended:
            raise ValueError("broken")
        seen.append((received.message.id, received.message.trace.correlation_id))

    await rig.send(rig.event("a"))
    await rig.consuming(each(handle))
    await rig.burying()
    await until(lambda: rig.letters.letters, "a dead letter")
    letter_id = next(iter(rig.letters.letters))

    with pytest.raises(Conflict, match="it failed again: ValueError: broken"):
        await rig.dead_letters.replay(letter_id)
    assert letter_id in rig.letters.letters

    mended = True
    await rig.dead_letters.replay(letter_id)
    assert seen == [("a:1", "corr-a:1")]
    assert rig.letters.letters == {}


async def test_a_record_too_large_to_copy_is_replayed_from_its_topic(rig: Rig) -> None:
    mended, sizes = False, []

    async def handle(received: Received) -> None:
        if not mended:
            raise ValueError("broken")
        sizes.append(len(received.record.value or b""))

    large = orjson.dumps({"ThingId": "a", "VersionId": 1, "Note": "x" * 900_000})
    await rig.send(rig.event("before"), rig.event("a", data=large))
    await rig.consuming(each(handle))
    await rig.burying()
    await until(lambda: len(rig.letters.letters) == 2, "two dead letters")
    letter = next(one for one in rig.letters.letters.values() if one.value is None)
    assert f"its {len(large)} bytes are left in {rig.created}" in letter.reason

    mended = True
    await rig.dead_letters.replay(letter.id)
    assert sizes == [len(large)]


async def test_sparse_messages_do_not_wait_for_a_poll(rig: Rig) -> None:
    arrived: dict[str, float] = {}

    async def handle(received: Received) -> None:
        arrived[received.message.id] = time.perf_counter()

    await rig.consuming(each(handle))
    await rig.send(rig.event("warm-up"))
    await until(lambda: arrived, "the group is joined")
    waits = []
    for number in range(15):
        await asyncio.sleep(0.06)  # idle in between: that is what is measured
        event = rig.event(f"key-{number}")
        await rig.send(event)
        acknowledged = time.perf_counter()
        await until(lambda event=event: event.id in arrived, "arrived")  # type: ignore[misc]
        waits.append(arrived[event.id] - acknowledged)

    assert sorted(waits)[len(waits) // 2] < 0.05


async def test_two_replicas_share_the_partitions_and_hand_over_without_a_loss(rig: Rig) -> None:
    seen: list[tuple[str, str]] = []
    running: set[str] = set()
    overlapped: list[str] = []

    def replica(name: str):  # type: ignore[no-untyped-def]
        async def handle(received: Received) -> None:
            key = received.message.key
            if key in running:
                overlapped.append(key)
            running.add(key)
            await asyncio.sleep(0.002)
            running.discard(key)
            seen.append((name, received.message.id))

        return each(handle)

    enough = asyncio.Event()
    first = await rig.consuming(replica("one"))
    sending = asyncio.create_task(_send_until(rig, enough))
    await until(lambda: len(seen) > 50, "the first is at work")
    await rig.consuming(replica("two"))
    await until(lambda: any(name == "two" for name, _ in seen), "the second is at work")
    await first.stop()
    enough.set()
    sent = await sending

    await until(lambda: {one for _, one in seen} == set(sent), "all handled")
    await eventually_committed(rig, len(sent))
    for key in {one.partition(":")[0] for one in sent}:
        versions = [int(one.partition(":")[2]) for _, one in seen if one.startswith(f"{key}:")]
        assert list(dict.fromkeys(versions)) == sorted(set(versions))
    assert overlapped == []
    assert len(seen) - len(sent) < len(sent) / 20, "a handover repeats next to nothing"


async def _send_until(rig: Rig, enough: asyncio.Event) -> list[str]:
    sent: list[str] = []
    version = 0
    while not enough.is_set():
        version += 1
        events = [rig.event(f"key-{key}", version) for key in range(15)]
        await rig.send(*events)
        sent += [event.id for event in events]
        await asyncio.sleep(0.02)
    return sent


async def test_a_new_group_may_begin_with_what_comes(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        seen.append(received.message.id)

    await rig.send(rig.event("old"))
    consumer = await rig.consuming(each(handle), from_="latest")
    await until(lambda: consumer._subscriber.consumer.assignment(), "assigned")
    for place in consumer._subscriber.consumer.assignment():
        await consumer._subscriber.consumer.position(place)
    await rig.send(rig.event("new"))

    await until(lambda: seen, "handled")
    assert seen == ["new:1"]


async def test_a_stop_leaves_nothing_half_done_and_a_start_goes_on_there(rig: Rig) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
        await asyncio.sleep(0.002)
        seen.append(received.message.id)

    await rig.send(*(rig.event(f"key-{number}") for number in range(200)))
    consumer = await rig.consuming(each(handle), Tuning(concurrency=2))
    await until(lambda: len(seen) > 20, "under way")
    await consumer.stop()
    handled = len(seen)
    assert handled < 200

    await consumer.start()
    await until(lambda: len(set(seen)) == 200, "the rest handled")
    await eventually_committed(rig, 200)


async def test_a_start_without_a_broker_is_unavailable_and_leaves_nothing_behind(rig: Rig) -> None:
    async def handle(received: Received) -> None:
        """Never called."""

    nowhere = KafkaTransport("127.0.0.1:1")
    consumer = Consumer(
        nowhere, rig.clock, rig.subscription(each(handle)), rig.publisher, rig.dead_letters, rig.metrics
    )  # fmt: skip

    with pytest.raises(Unavailable, match="cannot join its group"):
        await consumer.start()
    assert consumer.health().state is ConsumerState.STOPPED
    await consumer.stop()


async def test_health_sees_a_record_that_hangs(rig: Rig) -> None:
    hang = asyncio.Event()

    async def handle(received: Received) -> None:
        await hang.wait()

    await rig.send(rig.event("a"))
    consumer = await rig.consuming(each(handle), Tuning(stuck_after=0.2))
    await until(lambda: consumer.health().state is ConsumerState.STUCK, "stuck")
    assert "a record has been in work for" in consumer.health().reason

    hang.set()
    await until(lambda: consumer.health().moving, "moving again")


async def test_lag_is_what_the_group_has_not_committed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.consumer._LAG_EVERY", 0.05)
    away = False

    async def handle(received: Received) -> None:
        if away:
            raise Unavailable("away")

    consumer = await rig.consuming(each(handle), QUICK)
    await rig.send(*(rig.event(f"key-{number}") for number in range(30)))
    await eventually_committed(rig, 30)
    away = True
    await rig.send(*(rig.event(f"key-{number}", 2) for number in range(10)))

    await until(lambda: consumer.health().lag == 10, "ten behind")
    away = False
    await until(lambda: consumer.health().lag == 0, "none behind")

"""Records that cannot be read or handled: they cost nobody else anything, and each can be looked at and replayed."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from shared.durability.backoff import Backoff
from shared.errors import Conflict, Unavailable
from shared.messaging.consumer_context import Tuning
from shared.messaging.subscription import Received
from tests.contracts.messaging.harness import Harness, Seen
from tests.support.messaging import Thing
from tests.support.waiting import until


async def test_poison_between_good_ones_becomes_dead_letters_and_the_good_ones_go_on(harness: Harness) -> None:
    seen = Seen()
    good = [("ce_id", b"1"), ("ce_source", b"t"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]
    await harness.send(harness.event("before"))
    await harness.send_raw(harness.created, b"{not json", good)
    await harness.send_raw(harness.created, b"[1]", good)
    await harness.send_raw(harness.created, b'{"ThingId": "x"}', good)
    await harness.send_raw(harness.created, b"{}", ())
    await harness.send_raw(harness.created, None, good)
    await harness.send_raw(harness.created, b"", good, key=None)
    await harness.send_raw(harness.created, b"{}", [("ce_id", b"\xff\xfe"), *good[1:]])
    await harness.send(harness.event("after"))
    await harness.consuming(harness.each(seen.take))
    await harness.storing_dead_letters()

    await until(lambda: len(harness.letters.letters) == 7 and len(seen) == 2, "two handled, seven dead letters")
    assert sorted(seen) == ["after:1", "before:1"]
    reasons = sorted(letter.reason for letter in harness.letters.letters.values())
    assert any("ce_id, ce_source, ce_type, ce_specversion missing" in reason for reason in reasons)
    assert all(letter.attempts == 1 for letter in harness.letters.letters.values())
    await harness.all_committed(9)


async def test_a_header_that_is_not_utf_8_costs_only_its_own_record(harness: Harness) -> None:
    seen = Seen()
    good = [("ce_id", b"x"), ("ce_source", b"t"), ("ce_type", b"thing.created"), ("ce_specversion", b"1.0")]
    await harness.send_raw(
        harness.created, b'{"ThingId":"a","VersionId":1}', [*good, ("x-foreign", b"\xff")], partition=0
    )
    await harness.send(*(harness.event(f"key-{number}") for number in range(20)))
    await harness.consuming(harness.each(seen.take))

    await until(lambda: len(seen) == 21, "all handled")


async def test_a_handler_that_fails_five_times_makes_a_dead_letter_and_goes_on(harness: Harness) -> None:
    attempts: list[str] = []

    async def handle(received: Received[Thing]) -> None:
        attempts.append(received.message.id)
        if received.message.key == "bad":
            raise ValueError("no such column")

    await harness.send(harness.event("bad", 1), *(harness.event(f"key-{number}") for number in range(10)))
    await harness.consuming(harness.each(handle))
    await harness.storing_dead_letters()

    await until(lambda: harness.letters.letters, "a dead letter")
    await until(lambda: len(attempts) == 15, "the others handled")
    letter = next(iter(harness.letters.letters.values()))
    assert (letter.reason, letter.attempts) == ("ValueError: no such column", 5)
    assert letter.group == f"{harness.service}.things"
    await harness.all_committed(11)


async def test_while_the_store_is_away_nothing_is_lost_or_dead_and_nothing_is_committed(harness: Harness) -> None:
    away, seen, tries = True, [], 0

    async def handle(received: Received[Thing]) -> None:
        nonlocal tries
        tries += 1
        if away:
            raise Unavailable("the store is away")
        seen.append(received.message.id)

    patience = Tuning(patience=0.5, transient=Backoff(0.02, 0.1))  # so that batches are handed back on the way
    await harness.send(*(harness.event(f"key-{key}", version) for version in (1, 2, 3) for key in range(30)))
    await harness.consuming(harness.each(handle), patience)
    await harness.storing_dead_letters()
    await until(lambda: harness.metrics.render().decode().count('reason="too-slow"} ') > 0 and tries > 200, "rewinds")

    assert await harness.committed() == {}
    away = False
    await until(lambda: len(set(seen)) == 90, "all handled")
    await harness.all_committed(90)

    assert harness.letters.letters == {}
    for key in range(30):  # a batch handed back while the store came back has some of its records delivered again
        handled = [one for one in seen if one.startswith(f"key-{key}:")]
        assert list(dict.fromkeys(handled)) == [f"key-{key}:{v}" for v in (1, 2, 3)]


async def test_a_bulk_handler_that_fails_is_asked_one_by_one_and_only_the_bad_one_dies(harness: Harness) -> None:
    handled: set[str] = set()

    async def handle(received: Sequence[Received[Thing]]) -> None:
        if any(one.message.key == "bad" for one in received):
            raise ValueError("duplicate key")
        handled.update(one.message.id for one in received)

    await harness.send(*(harness.event(f"key-{number}") for number in range(30)), harness.event("bad"))
    await harness.consuming(harness.bulk(handle))
    await harness.storing_dead_letters()

    await until(lambda: len(handled) == 30 and harness.letters.letters, "thirty handled, one dead")
    assert [letter.reason for letter in harness.letters.letters.values()] == ["ValueError: duplicate key"]
    await harness.all_committed(31)


async def test_a_consumer_in_which_most_records_fail_stops_and_commits_nothing_past_them(harness: Harness) -> None:
    mended, seen = False, set()

    async def handle(received: Received[Thing]) -> None:
        if not mended:
            raise ValueError("the code is broken")
        seen.add(received.message.id)

    await harness.send(*(harness.event(f"key-{number}") for number in range(300)))
    consumer = await harness.consuming(harness.each(handle))
    await until(lambda: consumer.halted(), "stopped")

    assert consumer.halted()
    assert "most records fail" in (consumer.halted() or "")
    letters = [letter.body() for letter in await harness.read(f"{harness.service}.dlq")]
    dead = {(letter["Partition"], letter["Offset"]) for letter in letters}
    assert sum((await harness.committed()).values()) <= len(dead)

    mended = True
    await consumer.stop()
    await consumer.start()
    await until(lambda: len(seen) >= 300 - len(dead), "all that are not dead letters are handled")
    assert consumer.halted() is None


async def test_a_dead_letter_is_replayed_after_its_handler_is_mended(harness: Harness) -> None:
    mended, seen = False, []

    async def handle(received: Received[Thing]) -> None:
        if not mended:
            raise ValueError("broken")
        seen.append((received.message.id, received.message.trace.correlation_id))

    await harness.send(harness.event("a"))
    await harness.consuming(harness.each(handle))
    await harness.storing_dead_letters()
    await until(lambda: harness.letters.letters, "a dead letter")
    letter_id = next(iter(harness.letters.letters))

    with pytest.raises(Conflict, match="it failed again: ValueError: broken"):
        await harness.dead_letters.replay(letter_id)
    assert letter_id in harness.letters.letters

    mended = True
    await harness.dead_letters.replay(letter_id)
    assert seen == [("a:1", "corr-a:1")]
    assert harness.letters.letters == {}


async def test_a_record_too_large_to_copy_is_replayed_from_its_topic(harness: Harness) -> None:
    mended, sizes = False, []

    async def handle(received: Received[Thing]) -> None:
        if not mended:
            raise ValueError("broken")
        sizes.append(len(received.record.value or b""))

    large = orjson.dumps({"ThingId": "a", "VersionId": 1, "Note": "x" * 900_000})
    await harness.send(harness.event("before"), harness.event("a", data=large))
    await harness.consuming(harness.each(handle))
    await harness.storing_dead_letters()
    await until(lambda: len(harness.letters.letters) == 2, "two dead letters")
    letter = next(one for one in harness.letters.letters.values() if one.value is None)
    assert f"its {len(large)} bytes are left in {harness.created}" in letter.reason

    mended = True
    await harness.dead_letters.replay(letter.id)
    assert sizes == [len(large)]

"""Three kinds of failure: what can never be read or handled, what a rule refuses, and what only has to wait."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.errors import Conflict, Poison, Unavailable, UnderWay
from shared.messaging.consumer_context import Release, ReleaseReason
from shared.messaging.settlement import Settlement
from shared.messaging.subscription import (
    Received,
)
from tests.kit.messaging.harness import Harness, batch
from tests.support.messaging import Thing, event, raw, record_of
from tests.support.waiting import until


async def test_poison_between_good_ones_is_a_dead_letter_at_once_and_the_good_ones_go_on(harness: Harness) -> None:
    seen: list[str] = []

    async def handle(received: Received[Thing]) -> None:
        seen.append(received.message.id)

    headers = record_of(event("x")).headers
    records = [
        record_of(event("a"), 0),
        raw("thing.created", b"x", b"{not json", headers, offset=1),
        raw("thing.created", b"x", b"[]", headers, offset=2),
        raw("thing.created", b"x", b"{}", (), offset=3),
        raw("thing.created", b"x", b'{"ThingId": 1}', headers, offset=4),
        raw("thing.created", None, None, (), offset=5),
        raw("thing.created", b"\xff", b"{}", headers, offset=6),
        record_of(event("x"), 7),
    ]
    assert await harness.settle(harness.each(handle), records) is None

    assert sorted(seen) == ["a:1", "x:1"]
    letters = {letter["Offset"]: letter for letter in harness.dead_letters()}
    assert sorted(letters) == [1, 2, 3, 4, 5, 6]
    assert all(letter["Attempts"] == 1 for letter in letters.values())
    assert "ce_id, ce_source, ce_type, ce_specversion missing" in letters[3]["Reason"]
    assert "/VersionId: required" in letters[4]["Reason"]
    assert letters[1]["Id"] == "test_svc.things:thing.created:0:1"


async def test_a_type_the_topic_does_not_carry_is_a_dead_letter(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        raise AssertionError("must not be called")

    message = event("a")
    wrong = raw(
        "thing.created",
        b"a",
        message.data,
        [*record_of(message).headers[:2], ("ce_type", b"other"), *record_of(message).headers[3:]],
    )

    assert await harness.settle(harness.each(handle), [wrong]) is None
    assert harness.dead_letters()[0]["Reason"] == "thing.created does not carry the ce_type other"


async def test_a_handler_that_fails_five_times_makes_a_dead_letter_and_the_key_goes_on(harness: Harness) -> None:
    attempts: list[str] = []

    async def handle(received: Received[Thing]) -> None:
        attempts.append(received.message.id)
        if received.message.id == "a:1":
            raise ValueError("no such column")

    assert await harness.settle(harness.each(handle), batch(event("a", 1), event("a", 2), event("b", 1))) is None

    assert attempts.count("a:1") == 5
    assert attempts.count("a:2") == attempts.count("b:1") == 1
    assert attempts.index("a:2") > max(place for place, one in enumerate(attempts) if one == "a:1")
    letter = harness.dead_letters()[0]
    assert (letter["Reason"], letter["Attempts"]) == ("ValueError: no such column", 5)


async def test_a_handler_that_fails_four_times_loses_nothing(harness: Harness) -> None:
    attempts = 0

    async def handle(received: Received[Thing]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 5:
            raise ValueError("not yet")

    assert await harness.settle(harness.each(handle), batch(event("a"))) is None
    assert (attempts, harness.dead_letters()) == (5, [])


async def test_a_handler_that_says_poison_is_not_asked_again(harness: Harness) -> None:
    attempts = 0

    async def handle(received: Received[Thing]) -> None:
        nonlocal attempts
        attempts += 1
        raise Poison("the formula can never be read")

    assert await harness.settle(harness.each(handle), batch(event("a"))) is None
    assert attempts == 1
    assert harness.dead_letters()[0]["Reason"] == "the formula can never be read"


async def test_an_event_a_rule_refuses_is_done_with(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        raise Conflict("there already")

    with capture_logs() as logs:
        assert await harness.settle(harness.each(handle), batch(event("a"))) is None

    assert harness.dead_letters() == []
    assert [line["reason"] for line in logs if line["event"] == "an event was refused"] == ["there already"]
    assert 'outcome="refused",topic="thing.created"} 1.0' in harness.metrics.render().decode()


@pytest.mark.parametrize("error", [Unavailable("the store is away"), UnderWay("wait"), ConnectionResetError()])
async def test_while_a_store_is_away_nothing_is_lost_or_given_up_and_a_key_keeps_its_order(
    harness: Harness, error: Exception
) -> None:
    tries, seen = 0, []

    async def handle(received: Received[Thing]) -> None:
        nonlocal tries
        tries += 1
        if tries < 40:
            raise error
        seen.append(received.message.id)

    messages = [event(key, version) for version in (1, 2, 3) for key in "abc"]
    assert await harness.settle(harness.each(handle), batch(*messages)) is None

    assert harness.dead_letters() == []
    for key in "abc":
        assert [one for one in seen if one.startswith(key)] == [f"{key}:{version}" for version in (1, 2, 3)]


async def test_waiting_does_not_count_as_failing(harness: Harness) -> None:
    course = [Unavailable("away"), ValueError("bug")] * 4

    async def handle(received: Received[Thing]) -> None:
        if course:
            raise course.pop()

    assert await harness.settle(harness.each(handle), batch(event("a"))) is None
    assert (course, harness.dead_letters()) == ([], [])


async def test_a_dead_letter_waits_for_the_broker_too(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        raise Poison("never")

    harness.broker.away = True
    under_way = asyncio.create_task(harness.settle(harness.each(handle), batch(event("a"))))
    await until(lambda: 'reason="transient"' in harness.metrics.render().decode(), "it waits for the broker")
    assert not under_way.done()
    harness.broker.come_back()

    assert await under_way is None
    assert len(harness.dead_letters()) == 1


async def test_when_most_fail_whatever_their_key_it_stops_and_gives_none_of_the_batch_up(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        raise ValueError("the code is broken")

    messages = [event(f"key-{number}") for number in range(300)]
    assert await harness.settle(harness.each(handle), batch(*messages)) == ReleaseReason.STOP_LIMIT
    assert harness.dead_letters() == []
    assert harness.resume_at() == {("thing.created", 0): 0}


async def test_undecodable_records_never_stop_a_consumer(harness: Harness) -> None:
    async def handle(received: Received[Thing]) -> None:
        raise AssertionError("must not be called")

    records = [raw("thing.created", f"k{number}".encode(), b"{", (), offset=number) for number in range(400)]
    assert await harness.settle(harness.each(handle), records) is None
    assert len(harness.dead_letters()) == 400


async def test_a_fault_of_the_runtime_itself_is_raised_not_swallowed(harness: Harness) -> None:
    class Broken(Exception):
        pass

    def no_letter(*_: Any, **__: Any) -> Any:
        raise Broken

    async def handle(received: Received[Thing]) -> None:
        raise Poison("never")

    subscription = harness.each(handle)
    context = harness.context(subscription)
    object.__setattr__(context.clock, "now", no_letter)

    with pytest.raises(Broken):
        await Settlement(context, batch(event("a")), Release(time.monotonic() + 30)).run()

"""One batch: keys concurrently, a key in order, three kinds of failure, and what is handed back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from shared.clock import FixedClock
from shared.errors import Conflict, NotFound, Poison, Unavailable, UnderWay
from shared.messaging.deadletters import DeadLetters
from shared.messaging.envelope import Record
from shared.messaging.failures import Backoff, StopLimit
from shared.messaging.publisher import Publisher
from shared.messaging.recall import REBALANCE, STOP_LIMIT, STOPPING, TOO_SLOW, Recall
from shared.messaging.settlement import Desk, Settlement
from shared.messaging.subscription import (
    Answered,
    Command,
    CommandSubscription,
    Received,
    Subscribed,
    Subscription,
    bulk,
    each,
)
from shared.metrics import Metrics
from shared.schemas.results import CommandResult, Outcome
from shared.trace import current_trace
from tests.unit.messaging.doubles import NOW, MakeThing, MemoryBroker, MemoryLetters, event, raw, record_of, registry

AT_ONCE = Backoff(0.001, 0.001)
Handle = Callable[[Received], Awaitable[None]]


class Bench:
    """A desk to settle batches at, and what came of them."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.letters = MemoryLetters()
        self.metrics = Metrics("test_svc")
        self.registry = registry()
        self.limit = StopLimit()
        self.publisher = Publisher(self.broker.transport, "test_svc", patience=0.2)
        self.settlement: Settlement | None = None

    def desk(self, subscription: Subscribed, concurrency: int = 8) -> Desk:
        clock = FixedClock(NOW)
        dead_letters = DeadLetters(
            "test_svc", transport=self.broker.transport, publisher=self.publisher, store=self.letters, clock=clock,
            metrics=self.metrics, registry=self.registry,
        )  # fmt: skip
        return Desk(
            subscription, self.publisher, dead_letters, clock, self.metrics, self.limit, concurrency, AT_ONCE, AT_ONCE
        )  # fmt: skip

    async def settle(
        self, subscription: Subscribed, records: Sequence[Record], *, recall: Recall | None = None, concurrency: int = 8
    ) -> str | None:
        self.settlement = Settlement(self.desk(subscription, concurrency), records, recall or Recall(30))
        return await self.settlement.run()

    def each(self, handle: Handle) -> Subscription:
        return Subscription("test_svc.things", ("thing.created", "thing.updated"), each(handle), registry=self.registry)

    def bulk(self, handle: Callable[[Sequence[Received]], Awaitable[None]]) -> Subscription:
        return Subscription("test_svc.things", ("thing.created",), bulk(handle), registry=self.registry)

    def commands(self, use_case: Callable[[Received], Awaitable[Answered]]) -> CommandSubscription:
        return CommandSubscription(
            "thing.commands", {"MakeThing": Command(MakeThing, use_case)}, registry=self.registry, results="results"
        )

    def buried(self) -> list[dict[str, Any]]:
        return [message.body() for message in self.broker.sent if message.topic == "test_svc.dlq"]

    def answers(self) -> list[CommandResult]:
        answers = [message for message in self.broker.sent if message.topic == "results"]
        return [CommandResult.model_validate(message.body()) for message in answers]

    def resume_at(self) -> dict[tuple[str, int], int]:
        assert self.settlement is not None
        return {(place.topic, place.partition): offset for place, offset in self.settlement.resume_at().items()}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def batch(*messages: Any, partition: int = 0) -> list[Any]:
    return [record_of(message, offset, partition) for offset, message in enumerate(messages)]


# -- order and concurrency -------------------------------------------------------------------------------------------


async def test_records_of_a_key_go_in_order_while_keys_go_concurrently(bench: Bench) -> None:
    seen: list[str] = []
    most = running = 0

    async def handle(received: Received) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        seen.append(received.message.id)

    messages = [event(key, version) for version in range(1, 6) for key in "abcdef"]
    assert await bench.settle(bench.each(handle), batch(*messages), concurrency=4) is None

    for key in "abcdef":
        assert [one for one in seen if one.startswith(key)] == [f"{key}:{version}" for version in range(1, 6)]
    assert most == 4


async def test_a_key_s_records_of_several_topics_wait_for_each_other(bench: Bench) -> None:
    running: set[str] = set()

    async def handle(received: Received) -> None:
        assert received.message.key not in running
        running.add(received.message.key)
        await asyncio.sleep(0.001)
        running.remove(received.message.key)

    updated = [event("a", 2, topic="thing.updated"), event("a", 3, topic="thing.updated")]
    records = [record_of(event("a", 1))]
    records += [
        raw("thing.updated", b"a", one.data, [*record_of(one).headers[:2], ("ce_type", b"thing.updated"),
            *record_of(one).headers[3:]], offset=offset) for offset, one in enumerate(updated)
    ]  # fmt: skip

    assert await bench.settle(bench.each(handle), records) is None
    assert bench.buried() == []


async def test_every_effect_is_bound_to_its_record_s_trace_also_in_the_log(bench: Bench) -> None:
    import structlog

    seen: dict[str, tuple[str, str | None]] = {}

    async def handle(received: Received) -> None:
        trace = current_trace()
        seen[received.message.id] = (trace.correlation_id, trace.causation_id)
        bound = structlog.contextvars.get_contextvars()
        assert (bound["correlation_id"], bound["causation_id"]) == ("corr", received.message.id)

    await bench.settle(bench.each(handle), batch(event("a", 1), event("b", 1), event("a", 2)))

    assert seen == {name: ("corr", name) for name in ("a:1", "b:1", "a:2")}


# -- poison ----------------------------------------------------------------------------------------------------------


async def test_poison_between_good_ones_becomes_a_dead_letter_at_once_and_the_good_ones_go_on(bench: Bench) -> None:
    seen: list[str] = []

    async def handle(received: Received) -> None:
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
    assert await bench.settle(bench.each(handle), records) is None

    assert sorted(seen) == ["a:1", "x:1"]
    buried = {letter["Offset"]: letter for letter in bench.buried()}
    assert sorted(buried) == [1, 2, 3, 4, 5, 6]
    assert all(letter["Attempts"] == 1 for letter in buried.values())
    assert "ce_id, ce_source, ce_type, ce_specversion missing" in buried[3]["Reason"]
    assert "/VersionId: required" in buried[4]["Reason"]
    assert buried[1]["Id"] == "test_svc.things:thing.created:0:1"


async def test_a_type_the_topic_does_not_carry_is_a_dead_letter(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        raise AssertionError("must not be called")

    message = event("a")
    wrong = raw("thing.created", b"a", message.data, [*record_of(message).headers[:2], ("ce_type", b"other"),
                *record_of(message).headers[3:]])  # fmt: skip

    assert await bench.settle(bench.each(handle), [wrong]) is None
    assert bench.buried()[0]["Reason"] == "ce_type other is none that thing.created carries"


async def test_a_handler_that_fails_five_times_makes_a_dead_letter_and_the_key_goes_on(bench: Bench) -> None:
    attempts: list[str] = []

    async def handle(received: Received) -> None:
        attempts.append(received.message.id)
        if received.message.id == "a:1":
            raise ValueError("no such column")

    assert await bench.settle(bench.each(handle), batch(event("a", 1), event("a", 2), event("b", 1))) is None

    assert attempts.count("a:1") == 5
    assert attempts.count("a:2") == attempts.count("b:1") == 1
    assert attempts.index("a:2") > max(place for place, one in enumerate(attempts) if one == "a:1")
    letter = bench.buried()[0]
    assert (letter["Reason"], letter["Attempts"]) == ("ValueError: no such column", 5)


async def test_a_handler_that_fails_four_times_loses_nothing(bench: Bench) -> None:
    attempts = 0

    async def handle(received: Received) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 5:
            raise ValueError("not yet")

    assert await bench.settle(bench.each(handle), batch(event("a"))) is None
    assert bench.buried() == []


async def test_a_handler_that_says_poison_is_not_asked_again(bench: Bench) -> None:
    attempts = 0

    async def handle(received: Received) -> None:
        nonlocal attempts
        attempts += 1
        raise Poison("the formula can never be read")

    assert await bench.settle(bench.each(handle), batch(event("a"))) is None
    assert attempts == 1
    assert bench.buried()[0]["Reason"] == "the formula can never be read"


async def test_an_event_a_rule_refuses_is_done_with(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        raise Conflict("there already")

    with capture_logs() as logs:
        assert await bench.settle(bench.each(handle), batch(event("a"))) is None

    assert bench.buried() == []
    assert [line["reason"] for line in logs if line["event"] == "an event was refused"] == ["there already"]
    assert 'outcome="refused",topic="thing.created"} 1.0' in bench.metrics.render().decode()


# -- transient -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unavailable("the store is away"), UnderWay("wait"), ConnectionResetError()])
async def test_while_a_store_is_away_nothing_is_lost_nothing_dead_and_a_key_keeps_its_order(
    bench: Bench, error: Exception
) -> None:
    tries, seen = 0, []

    async def handle(received: Received) -> None:
        nonlocal tries
        tries += 1
        if tries < 40:
            raise error
        seen.append(received.message.id)

    messages = [event(key, version) for version in (1, 2, 3) for key in "abc"]
    assert await bench.settle(bench.each(handle), batch(*messages)) is None

    assert bench.buried() == []
    for key in "abc":
        assert [one for one in seen if one.startswith(key)] == [f"{key}:{version}" for version in (1, 2, 3)]


async def test_waiting_does_not_count_as_failing(bench: Bench) -> None:
    course = [Unavailable("away"), ValueError("bug")] * 4

    async def handle(received: Received) -> None:
        if course:
            raise course.pop()

    assert await bench.settle(bench.each(handle), batch(event("a"))) is None
    assert bench.buried() == []


async def test_a_dead_letter_waits_for_the_broker_too(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        raise Poison("never")

    bench.broker.away = True
    under_way = asyncio.create_task(bench.settle(bench.each(handle), batch(event("a"))))
    async with asyncio.timeout(10):
        while not (bench.broker.attempts or 'reason="transient"' in bench.metrics.render().decode()):
            await asyncio.sleep(0)
    assert not under_way.done()
    bench.broker.come_back()

    assert await under_way is None
    assert len(bench.buried()) == 1


# -- bulk ------------------------------------------------------------------------------------------------------------


async def test_a_bulk_handler_gets_the_whole_batch_in_order(bench: Bench) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received]) -> None:
        batches.append([one.message.id for one in received])

    messages = [event(key, version) for version in (1, 2) for key in "abc"]
    assert await bench.settle(bench.bulk(handle), batch(*messages)) is None
    assert batches == [[message.id for message in messages]]


async def test_a_bulk_handler_that_fails_is_asked_one_by_one_and_only_the_bad_one_dies(bench: Bench) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received]) -> None:
        batches.append([one.message.id for one in received])
        if any(one.message.key == "bad" for one in received):
            raise ValueError("duplicate key")

    assert await bench.settle(bench.bulk(handle), batch(event("a"), event("bad"), event("b"))) is None

    assert batches[0] == ["a:1", "bad:1", "b:1"]
    assert sorted(one for one in batches[1:] if "bad:1" not in one) == [["a:1"], ["b:1"]]
    assert [letter["Reason"] for letter in bench.buried()] == ["ValueError: duplicate key"]


async def test_a_bulk_handler_waits_for_a_store_that_is_away(bench: Bench) -> None:
    sizes: list[int] = []

    async def handle(received: Sequence[Received]) -> None:
        sizes.append(len(received))
        if len(sizes) < 10:
            raise Unavailable("away")

    assert await bench.settle(bench.bulk(handle), batch(event("a"), event("b"))) is None
    assert sizes == [2] * 10


async def test_undecodable_ones_stay_out_of_a_bulk(bench: Bench) -> None:
    batches: list[list[str]] = []

    async def handle(received: Sequence[Received]) -> None:
        batches.append([one.message.id for one in received])

    records = [record_of(event("a"), 0), raw("thing.created", b"x", b"{}", (), offset=1), record_of(event("b"), 2)]
    assert await bench.settle(bench.bulk(handle), records) is None
    assert batches == [["a:1", "b:1"]]
    assert [letter["Offset"] for letter in bench.buried()] == [1]


# -- commands --------------------------------------------------------------------------------------------------------


def command(key: str = "a", data: Any = None, *, ce_type: str = "MakeThing", **more: Any) -> Any:
    from dataclasses import replace

    body = {"ThingId": key} if data is None else data
    return replace(event(key, topic="thing.commands", data=body, **more), type=ce_type)


async def test_a_command_is_answered_with_what_it_made(bench: Bench) -> None:
    async def make(received: Received) -> Answered:
        return Answered(received.message.key, 3)

    assert await bench.settle(bench.commands(make), batch(command("a", id="c1"))) is None

    answer = bench.broker.sent[0]
    assert (answer.topic, answer.type, answer.key, answer.source) == ("results", "MakeThing", "a", "test_svc")
    assert (answer.trace.correlation_id, answer.trace.causation_id) == ("corr", "c1")
    assert answer.body() == {
        "CommandId": "c1", "Source": "test_svc", "Outcome": "Accepted", "Id": "a", "VersionId": 3,
    }  # fmt: skip


async def test_a_refused_command_is_answered_as_http_would(bench: Bench) -> None:
    async def make(received: Received) -> Answered:
        raise NotFound("fleet X is not known")

    assert await bench.settle(bench.commands(make), batch(command())) is None

    result = bench.answers()[0]
    assert result.outcome is Outcome.REFUSED
    assert result.problem == NotFound("fleet X is not known").problem()
    assert bench.buried() == []


@pytest.mark.parametrize(
    ("data", "ce_type", "status", "pointer"),
    [
        ({"ThingId": "a", "Colour": "red"}, "MakeThing", 400, "/Colour"),
        ({}, "MakeThing", 400, "/ThingId"),
        ({"ThingId": "a#b"}, "MakeThing", 400, "/ThingId"),
        ({"ThingId": "a"}, "BreakThing", 400, None),
    ],
)
async def test_a_command_that_does_not_fit_is_refused_and_named(
    bench: Bench, data: Any, ce_type: str, status: int, pointer: str | None
) -> None:
    async def make(received: Received) -> Answered:
        raise AssertionError("must not be called")

    assert await bench.settle(bench.commands(make), batch(command(data=data, ce_type=ce_type))) is None

    problem = bench.answers()[0].problem
    assert problem is not None
    assert problem["status"] == status
    assert [error["pointer"] for error in problem.get("errors", [])] == ([pointer] if pointer else [])


async def test_a_command_with_managed_fields_is_taken_as_http_takes_a_document_posted_back(bench: Bench) -> None:
    async def make(received: Received) -> Answered:
        return Answered(received.message.key, received.body["VersionId"])

    data = {"ThingId": "a", "VersionId": 5, "LatestVersionId": 5, "CreatedBy": "jsmith"}
    await bench.settle(bench.commands(make), batch(command(data=data)))

    assert bench.answers()[0].outcome is Outcome.ACCEPTED


async def test_a_command_under_way_elsewhere_waits_and_is_answered_once(bench: Bench) -> None:
    tries = 0

    async def make(received: Received) -> Answered:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnderWay("being worked on")
        return Answered("a", 1)

    assert await bench.settle(bench.commands(make), batch(command())) is None
    assert [answer.outcome for answer in bench.answers()] == [Outcome.ACCEPTED]


async def test_a_record_is_not_settled_before_its_answer_is_acknowledged(bench: Bench) -> None:
    done = 0

    async def make(received: Received) -> Answered:
        nonlocal done
        done += 1
        return Answered("a", 1)

    bench.broker.away = True
    recall = Recall(30)
    under_way = asyncio.create_task(bench.settle(bench.commands(make), batch(command()), recall=recall))
    while not done:
        await asyncio.sleep(0.001)
    recall.call(STOPPING)

    assert await under_way == STOPPING
    assert bench.resume_at() == {("thing.commands", 0): 0}


async def test_no_json_object_or_no_ce_headers_make_a_command_a_dead_letter(bench: Bench) -> None:
    async def make(received: Received) -> Answered:
        raise AssertionError("must not be called")

    headers = record_of(command()).headers
    records = [
        raw("thing.commands", b"a", b"[1]", headers, offset=0),
        raw("thing.commands", b"a", b'{"ThingId":"a"}', (), offset=1),
    ]
    assert await bench.settle(bench.commands(make), records) is None
    assert bench.answers() == []
    assert sorted(letter["Offset"] for letter in bench.buried()) == [0, 1]


# -- handing back ----------------------------------------------------------------------------------------------------


async def test_a_batch_over_its_patience_keeps_what_is_settled_and_hands_back_the_rest(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        if received.message.id in ("b:1", "d:1"):
            raise Unavailable("away")

    records = [
        record_of(event("a"), 10, 0), record_of(event("b"), 11, 0), record_of(event("c"), 12, 0),
        record_of(event("d"), 20, 1), record_of(event("e"), 30, 2),
    ]  # fmt: skip
    assert await bench.settle(bench.each(handle), records, recall=Recall(0.1)) == TOO_SLOW
    assert bench.resume_at() == {("thing.created", 0): 11, ("thing.created", 1): 20, ("thing.created", 2): 31}


async def test_a_rebalance_cuts_short_who_waits_and_lets_work_be_finished(bench: Bench) -> None:
    recall, begun = Recall(30), asyncio.Event()

    async def handle(received: Received) -> None:
        if received.message.key == "waits":
            raise Unavailable("away")
        begun.set()
        await asyncio.sleep(0.05)

    messages = [event("waits"), event("works", 1), event("works", 2)]
    under_way = asyncio.create_task(bench.settle(bench.each(handle), batch(*messages), recall=recall))
    await begun.wait()
    recall.call(REBALANCE, waiting_only=True)

    assert await under_way == REBALANCE
    assert bench.metrics.render().decode().count('outcome="handled",topic="thing.created"} 2.0') == 1


async def test_a_stop_lets_the_record_in_hand_be_finished_and_begins_no_other(bench: Bench) -> None:
    recall, begun = Recall(30), asyncio.Event()
    seen: list[str] = []

    async def handle(received: Received) -> None:
        begun.set()
        await asyncio.sleep(0.02)
        seen.append(received.message.id)

    records = batch(event("a", 1), event("a", 2))
    under_way = asyncio.create_task(bench.settle(bench.each(handle), records, recall=recall))
    await begun.wait()
    recall.call(STOPPING)

    assert await under_way == STOPPING
    assert seen == ["a:1"]
    assert bench.resume_at() == {("thing.created", 0): 1}


async def test_a_poison_in_a_batch_handed_back_is_buried_before_it_is_passed(bench: Bench) -> None:
    recall = Recall(0.1)

    async def handle(received: Received) -> None:
        if received.message.key == "bad":
            raise Poison("never")
        raise Unavailable("away")

    assert await bench.settle(bench.each(handle), batch(event("bad"), event("a")), recall=recall) == TOO_SLOW
    assert [letter["Offset"] for letter in bench.buried()] == [0]
    assert bench.resume_at() == {("thing.created", 0): 1}


async def test_when_most_fail_whatever_their_key_it_stops_and_buries_none_of_the_batch(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        raise ValueError("the code is broken")

    messages = [event(f"key-{number}") for number in range(300)]
    assert await bench.settle(bench.each(handle), batch(*messages)) == STOP_LIMIT
    assert bench.buried() == []
    assert bench.resume_at() == {("thing.created", 0): 0}


async def test_undecodable_records_never_stop_a_consumer(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        raise AssertionError("must not be called")

    records = [raw("thing.created", f"k{number}".encode(), b"{", (), offset=number) for number in range(400)]
    assert await bench.settle(bench.each(handle), records) is None
    assert len(bench.buried()) == 400


async def test_offsets_with_gaps_resume_behind_the_last_record_settled(bench: Bench) -> None:
    async def handle(received: Received) -> None:
        if received.message.key == "b":
            raise Unavailable("away")

    records = [record_of(event(key), offset) for key, offset in (("a", 3), ("b", 9), ("c", 17))]
    assert await bench.settle(bench.each(handle), records, recall=Recall(0.05)) == TOO_SLOW
    assert bench.settlement is not None
    assert bench.settlement.resume_at() == {TopicPartition("thing.created", 0): 4}


async def test_a_fault_of_the_runtime_itself_is_raised_not_swallowed(bench: Bench) -> None:
    class Broken(Exception):
        pass

    def no_letter(*_: Any, **__: Any) -> Any:
        raise Broken

    async def handle(received: Received) -> None:
        raise Poison("never")

    subscription = bench.each(handle)
    desk = bench.desk(subscription)
    object.__setattr__(desk.clock, "now", no_letter)

    with pytest.raises(ExceptionGroup) as raised:
        await Settlement(desk, batch(event("a")), Recall(30)).run()
    assert raised.value.exceptions[0].__class__ is Broken

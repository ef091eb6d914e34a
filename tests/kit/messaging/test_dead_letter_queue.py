"""Dead letters: the record kept whole, stored once, replayed by its own consumer, and never the cause of another."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.durability.backoff import Backoff
from shared.durability.dead_letters import letter_of, record_of
from shared.durability.failures import StopLimit
from shared.envelope import Record
from shared.errors import Conflict, NotFound, Unavailable
from shared.messaging.consumer_context import ConsumerContext, Release, Tuning
from shared.messaging.dead_letter_queue import DeadLetterQueue, GivenUp
from shared.messaging.publisher import Publisher
from shared.messaging.settlement import Settlement
from shared.metrics import Metrics
from shared.schemas.results import DeadLetter
from shared.service.kit import dead_letter_routes
from shared.trace import Trace
from shared.web import create_app
from tests.support import messaging as doubles
from tests.support.clock import FixedClock
from tests.support.messaging import NOW, MemoryBroker, MemoryLetters, event, raw, registry

GROUP = "test_svc.things"


class Harness:
    """A service's dead letters, on a broker in memory."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.store = MemoryLetters()
        self.metrics = Metrics()
        self.publisher = Publisher(self.broker.transport, "test_svc")
        self.dead_letters = DeadLetterQueue(
            "test_svc",
            transport=self.broker.transport,
            publisher=self.publisher,
            store=self.store,
            clock=FixedClock(NOW),
            metrics=self.metrics,
            registry=registry(),
        )
        self.replayed: list[Record] = []
        self.error: Exception | None = None
        self.dead_letters.attach(GROUP, self.replay)

    async def replay(self, record: Record) -> None:
        if self.error is not None:
            raise self.error
        self.replayed.append(record)

    def keep(self, offset: int = 7, group: str = GROUP) -> DeadLetter:
        letter = dead(doubles.record_of(event("a"), offset), group=group)
        self.store.letters[letter.id] = letter
        return letter


def dead(record: Record, group: str = GROUP) -> DeadLetter:
    return letter_of(record, group=group, reason="ValueError: x", attempts=5, now=NOW)


async def publish(harness: Harness, record: Record) -> DeadLetter:
    """The letter as it was published."""
    await harness.dead_letters.publish(GROUP, [GivenUp(record, "ValueError: x", 5, "failed")])
    return dead(record)


@pytest.fixture
def harness() -> Harness:
    return Harness()


@given(
    st.none() | st.binary(max_size=50),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10).map(str.encode)), max_size=4),
)
def test_the_record_comes_out_of_its_letter_as_it_went_in(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    record = raw("thing.created", key, value, headers, offset=42, partition=2)

    letter = DeadLetter.model_validate(dead(record).wire())

    assert letter.id == "test_svc.things:thing.created:2:42"
    kept = record_of(letter)
    for name in ("topic", "partition", "offset", "timestamp", "key", "value", "headers"):
        assert getattr(kept, name) == getattr(record, name)


def test_a_header_that_is_not_utf_8_is_escaped() -> None:
    letter = dead(raw("thing.created", b"k", b"v", [("x", b"a\xff"), ("y", None)]))

    assert letter.headers == [("x", "a\\xff"), ("y", "")]


def test_a_reason_too_long_is_cut() -> None:
    letter = letter_of(raw("t", None, None), group="g", reason="x" * 100_000, attempts=1, now=NOW)

    assert len(letter.reason) == 4_000


async def test_a_letter_goes_to_the_service_s_topic_under_its_own_id(harness: Harness) -> None:
    letter = await publish(harness, doubles.record_of(event("a"), 7))

    message = harness.broker.sent[0]
    assert (message.topic, message.type, message.key, message.id) == ("test_svc.dlq", "DeadLetter", "a", letter.id)
    assert message.trace == Trace("corr", "a:1")
    assert DeadLetter.model_validate(message.body()) == letter


async def test_letters_are_stored_by_the_service_s_own_consumer(harness: Harness) -> None:
    letter = await publish(harness, doubles.record_of(event("a"), 7))
    subscription = harness.dead_letters.subscription()
    received = subscription.read(doubles.record_of(harness.broker.sent[0]))

    assert subscription.handle_all is not None
    await subscription.handle_all([received])
    await subscription.handle_all([received])

    assert harness.store.letters == {letter.id: letter}


async def test_a_dead_letter_that_cannot_be_read_is_stored_and_begets_no_other(harness: Harness) -> None:
    await settle(harness, raw("test_svc.dlq", b"k", b"{not json", doubles.record_of(event("a")).headers))

    assert harness.broker.sent == []
    assert [letter.topic for letter in harness.store.letters.values()] == ["test_svc.dlq"]


async def test_a_letter_that_cannot_be_stored_is_waited_for_not_given_up(harness: Harness) -> None:
    harness.store.error = ValueError("disk full")
    await publish(harness, doubles.record_of(event("a")))
    subscription = harness.dead_letters.subscription()
    received = subscription.read(doubles.record_of(harness.broker.sent[0]))
    assert subscription.handle_all is not None

    with pytest.raises(Unavailable, match="disk full"):
        await subscription.handle_all([received])


async def test_a_replay_hands_the_record_to_its_consumer_and_removes_the_letter(harness: Harness) -> None:
    letter = harness.keep()

    await harness.dead_letters.replay(letter.id)

    assert [record.offset for record in harness.replayed] == [7]
    assert harness.store.letters == {}
    assert 'epic_dead_letter_replays_total{outcome="replayed"} 1.0' in harness.metrics.render().decode()


async def test_a_replay_that_fails_says_why_and_keeps_the_letter(harness: Harness) -> None:
    letter = harness.keep()
    harness.error = ValueError("still broken")

    with pytest.raises(Conflict, match="it failed again: ValueError: still broken"):
        await harness.dead_letters.replay(letter.id)
    assert letter.id in harness.store.letters


async def test_a_replay_while_the_store_is_away_is_unavailable(harness: Harness) -> None:
    letter = harness.keep()
    harness.error = Unavailable("the store is away")

    with pytest.raises(Unavailable):
        await harness.dead_letters.replay(letter.id)
    assert letter.id in harness.store.letters


async def test_a_letter_of_a_consumer_that_is_gone_cannot_be_replayed(harness: Harness) -> None:
    letter = harness.keep(group="test_svc.gone")

    with pytest.raises(Conflict, match=r"no consumer test_svc\.gone any more \(it has test_svc\.things\)"):
        await harness.dead_letters.replay(letter.id)


async def test_an_unknown_letter_is_not_found(harness: Harness) -> None:
    for act in (harness.dead_letters.get, harness.dead_letters.replay, harness.dead_letters.drop):
        with pytest.raises(NotFound):
            await act("nothing:a:0:1")


# -- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def http(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("test_svc", routes=[dead_letter_routes(harness.dead_letters)], metrics=harness.metrics)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_letters_are_listed_by_page(harness: Harness, http: httpx.AsyncClient) -> None:
    kept = sorted(harness.keep(offset).id for offset in range(5))

    listed: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await http.get("/dlq", params={"Limit": 2, **cursor})).json()
        listed += [letter["Id"] for letter in page["Items"]]
        if page["NextCursor"] is None:
            break
        cursor = {"Cursor": page["NextCursor"]}
    assert listed == kept


async def test_a_letter_is_looked_into_replayed_and_dropped(harness: Harness, http: httpx.AsyncClient) -> None:
    one, two = harness.keep(1).id, harness.keep(2).id

    assert (await http.get(f"/dlq/{one}")).json()["Reason"] == "ValueError: x"
    assert (await http.post(f"/dlq/{one}/replay")).json() == {"Id": one, "Outcome": "Replayed"}
    assert (await http.delete(f"/dlq/{two}")).json() == {"Id": two, "Outcome": "Dropped"}
    assert (await http.get("/dlq")).json() == {"Items": [], "NextCursor": None}


async def test_what_cannot_be_done_is_a_problem(harness: Harness, http: httpx.AsyncClient) -> None:
    kept = harness.keep().id
    harness.error = ValueError("still broken")

    failed = await http.post(f"/dlq/{kept}/replay")
    unknown = await http.get("/dlq/test_svc.x:y:0:1")
    bad = await http.get("/dlq", params={"Cursor": "Wzdd"})

    assert (failed.status_code, failed.json()["type"]) == (409, "urn:epic:problem:replay-failed")
    assert (unknown.status_code, bad.status_code) == (404, 400)
    assert failed.headers["content-type"] == "application/problem+json"


async def settle(harness: Harness, record: Record) -> None:
    quick = Tuning(transient=Backoff(0.001, 0.001))
    context = ConsumerContext(
        harness.dead_letters.subscription(),
        harness.publisher,
        harness.dead_letters,
        FixedClock(NOW),
        harness.metrics,
        quick,
        StopLimit(),
    )
    assert await Settlement(context, [record], Release(time.monotonic() + 5)).run() is None

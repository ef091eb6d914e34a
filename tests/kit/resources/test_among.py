"""Writes that are judged by all other documents: one at a time, and never after the lease may have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import pytest

from shared.cause import Cause
from shared.documents import Change, Documents, OutgoingEvent
from shared.documents.sqlite import SqliteStore
from shared.errors import Conflict, Unavailable
from shared.resources import among
from shared.resources.among import WritesAmong
from shared.schemas.base import Id, WireModel
from shared.trace import Trace
from tests.support.clock import FixedClock


class Seat(WireModel):
    """A seat, which one person has."""

    seat_id: Id
    person: Id


def one_seat_each(before: Seat | None, after: Seat | None, others: Mapping[str, Seat]) -> None:
    if after is not None and any(other.person == after.person for other in others.values()):
        raise Conflict(f"{after.person} sits already")


class Elapsed:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def elapsed() -> Elapsed:
    return Elapsed()


@pytest.fixture
async def seats(store: SqliteStore) -> Documents:
    documents = store.documents("seat")
    await store.start()
    return documents


@pytest.fixture
def writes(store: SqliteStore, seats: Documents, elapsed: Elapsed) -> WritesAmong[Seat]:
    return WritesAmong(one_seat_each, Seat, seats, store.leases(), name="seats", own=dict, elapsed=elapsed)


def taking(seat: str, person: str) -> Change:
    return Change({"SeatId": seat, "Person": person}, (OutgoingEvent("seat.created"),))


def taking_unseen(seat: str, person: str, _: object) -> Change:
    return taking(seat, person)


@pytest.fixture
def cause(clock: FixedClock) -> Cause:
    return Cause(clock.now(), "ann", Trace.begin())


async def test_of_writes_at_once_each_is_judged_by_those_before_it(
    writes: WritesAmong[Seat], seats: Documents, cause: Cause
) -> None:
    outcomes = await asyncio.gather(
        *(writes.update(f"s{number}", partial(taking_unseen, f"s{number}", "kim"), cause) for number in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 4
    assert len((await seats.list()).items) == 1


async def test_a_document_is_judged_by_the_others_as_they_are_now_not_by_itself(
    writes: WritesAmong[Seat], cause: Cause
) -> None:
    await writes.update("s1", lambda _: taking("s1", "kim"), cause)
    await writes.update("s1", lambda _: taking("s1", "kim"), cause)
    await writes.update("s1", lambda _: taking("s1", "lee"), cause)
    await writes.update("s2", lambda _: taking("s2", "kim"), cause)
    await writes.update("s1", lambda _: Change(None, ()), cause)
    await writes.update("s3", lambda _: taking("s3", "lee"), cause)


async def test_a_writer_that_was_paused_for_the_rest_of_its_lease_writes_nothing(
    writes: WritesAmong[Seat], seats: Documents, cause: Cause, elapsed: Elapsed
) -> None:
    def paused(_: object) -> Change:
        elapsed.seconds += among._LEASE
        return taking("s1", "kim")

    with pytest.raises(Unavailable, match="held up"):
        await writes.update("s1", paused, cause)
    assert await seats.latest("s1") is None
    await writes.update("s2", lambda _: taking("s2", "kim"), cause)


async def test_a_writer_waits_for_the_lease_and_gives_up_in_the_end(
    store: SqliteStore, writes: WritesAmong[Seat], cause: Cause, elapsed: Elapsed
) -> None:
    leases = store.leases()
    lease = await leases.claim("seats", "another process", 60.0)
    assert lease is not None
    waiting = asyncio.create_task(writes.update("s1", lambda _: taking("s1", "kim"), cause))
    await asyncio.sleep(0)
    assert not waiting.done()
    await leases.release(lease)
    await waiting
    assert await leases.claim("seats", "another process", 60.0) is not None
    asked = asyncio.create_task(writes.update("s2", lambda _: taking("s2", "lee"), cause))
    await asyncio.sleep(0)
    elapsed.seconds += among._PATIENCE
    with pytest.raises(Unavailable, match="ask again"):
        await asked

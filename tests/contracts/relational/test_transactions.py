"""Transactions: all or nothing, tried again after a lost race, and the same on both dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, literal, select, update

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord
from shared.durability.outbox import MAX_OPEN_ENTRIES, MAX_OPEN_ENTRIES_PER_LANE
from shared.envelope import Message
from shared.errors import Conflict, NotFound, Unavailable, UnderWay
from shared.relational import Database, UnitOfWork, database_now
from shared.relational.tables import IDEMPOTENCY_RECORDS
from shared.trace import Trace
from tests.support.relational import COUNTERS

pytestmark = pytest.mark.slow

NOW = datetime(2024, 6, 15, 9, 0, 0, 123000, tzinfo=UTC)


def cause(id: str | None = "\njsmith\n/hotw/run\nk1", digest: str = "d1") -> Cause:
    return Cause(NOW, "jsmith", Trace("c1"), id, digest)


async def taken(unit: UnitOfWork, consumer: str, message_id: str) -> bool:
    return await unit.take_message(cause(message_id), consumer=consumer)


async def record_of(database: Database, cause: Cause) -> IdempotencyRecord | None:
    return await database.write(lambda unit: unit.record_of(cause))


def message(key: str, number: int, **more: object) -> Message:
    return Message(
        "hotw.order.placed",
        "hotw.order.placed",
        key,
        f'{{"n":{number},"ö":"ü"}}'.encode(),
        "hotw_svc",
        NOW,
        Trace("c1", "m0", "00-a-b-01"),
        id=f"{key}:{number}",
        **more,  # type: ignore[arg-type]
    )


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail(unit: UnitOfWork) -> None:
        await unit.connection.execute(insert(COUNTERS).values(Name="a", Value=1))
        await unit.emit([message("a", 1)])
        await unit.add_record(cause(), IdempotencyRecord(body={"a": 1}))
        raise NotFound("nothing")

    with pytest.raises(NotFound):
        await database.write(fail)
    async with database.read() as connection:
        assert (await connection.execute(select(COUNTERS))).all() == []
    assert (await database.outbox()).open == 0
    assert await record_of(database, cause()) is None


async def test_twenty_racing_writers_lose_nothing(opened: Callable[..., Database]) -> None:
    replicas = [opened(), opened()]

    async def add(unit: UnitOfWork) -> None:
        row = (
            await unit.connection.execute(select(COUNTERS.c.Value).where(COUNTERS.c.Name == "n").with_for_update())
        ).first()
        if row is None:
            await unit.connection.execute(insert(COUNTERS).values(Name="n", Value=1))
        else:
            await unit.connection.execute(update(COUNTERS).where(COUNTERS.c.Name == "n").values(Value=row.Value + 1))

    await asyncio.gather(*(replicas[i % 2].write(add) for i in range(20)))
    async with replicas[0].read() as connection:
        assert (await connection.execute(select(COUNTERS.c.Value))).scalar() == 20


async def test_transactions_that_lock_in_opposite_order_both_end(opened: Callable[..., Database]) -> None:
    one, two = opened(), opened()

    async def make(unit: UnitOfWork) -> None:
        await unit.connection.execute(insert(COUNTERS), [{"Name": "a", "Value": 0}, {"Name": "b", "Value": 0}])

    await one.write(make)

    def crossing(first: str, second: str) -> Callable[[UnitOfWork], object]:
        async def cross(unit: UnitOfWork) -> None:
            for name in (first, second):
                await unit.connection.execute(
                    update(COUNTERS).where(COUNTERS.c.Name == name).values(Value=COUNTERS.c.Value + 1)
                )
                await asyncio.sleep(0)

        return cross

    await asyncio.gather(
        *(db.write(crossing(*names)) for _ in range(5) for db, names in ((one, ("a", "b")), (two, ("b", "a"))))  # type: ignore[arg-type]
    )
    async with one.read() as connection:
        assert set((await connection.execute(select(COUNTERS.c.Value))).scalars()) == {10}


async def test_times_keep_their_microseconds_and_the_database_has_utc(database: Database) -> None:
    began = datetime.now(UTC)
    await database.write(lambda unit: unit.add_record(cause(), IdempotencyRecord(body={"x": 1})))
    assert await record_of(database, cause()) == IdempotencyRecord(body={"x": 1})
    async with database.read() as connection:
        table = IDEMPOTENCY_RECORDS
        until = (await connection.execute(select(table.c.ExpiresAt))).scalar_one()
        now, later = (await connection.execute(select(database_now(), database_now(30.5)))).one()
        due = await connection.execute(select(literal(1)).where(table.c.ExpiresAt < database_now(86_400 + 1)))
        assert due.first() is not None
    begun = until - timedelta(hours=24)
    assert began - timedelta(seconds=5) < begun < datetime.now(UTC) + timedelta(seconds=5)
    assert abs(later - now - timedelta(seconds=30.5)) < timedelta(milliseconds=50)


async def test_a_message_is_handled_once_per_consumer(database: Database) -> None:
    async def see(unit: UnitOfWork) -> tuple[bool, bool, bool]:
        return (
            await taken(unit, "orders", "fleet_svc/1"),
            await taken(unit, "orders", "fleet_svc/1"),
            await taken(unit, "inputs", "fleet_svc/1"),
        )

    assert await database.write(see) == (True, False, True)
    assert await database.write(see) == (False, False, False)


async def test_the_same_id_gets_the_first_answer_again(opened: Callable[..., Database]) -> None:
    replicas, done = [opened(), opened()], []

    async def work(unit: UnitOfWork) -> dict[str, object]:
        await unit.connection.execute(insert(COUNTERS).values(Name=f"run-{len(done)}", Value=1))
        done.append(1)
        return {"RunId": 5}

    answers = await asyncio.gather(*(replicas[i % 2].run_once(cause(), work) for i in range(8)))
    assert answers == [{"RunId": 5}] * 8
    async with replicas[0].read() as connection:
        assert len((await connection.execute(select(COUNTERS))).all()) == 1


async def test_the_same_id_with_another_body_is_refused_and_stays_answered(database: Database) -> None:
    async def work(unit: UnitOfWork) -> dict[str, object]:
        return {"RunId": 5}

    await database.run_once(cause(), work)
    with pytest.raises(Conflict) as refused:
        await database.run_once(cause(digest="d2"), work)
    assert refused.value.slug == "id-reused"
    assert await database.run_once(cause(), work) == {"RunId": 5}


async def test_a_refusal_is_kept_and_raised_again_as_it_was(database: Database) -> None:
    async def refuse(unit: UnitOfWork) -> dict[str, object]:
        raise NotFound("no event PD2024")

    async def accept(unit: UnitOfWork) -> dict[str, object]:
        return {}

    for work in (refuse, accept):
        with pytest.raises(NotFound if work is refuse else Exception) as refused:
            await database.run_once(cause(), work)
        assert refused.value.problem() == NotFound("no event PD2024").problem()  # type: ignore[attr-defined]


async def test_a_request_that_its_own_twin_overtook_gets_the_twins_outcome(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read that neither was done; the second is then refused because of what the first has done."""
    read = UnitOfWork.record_of
    looks = 0

    async def read_before_the_twin_commits(unit: UnitOfWork, given: Cause) -> IdempotencyRecord | None:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await read(unit, given)

    async def cancel(unit: UnitOfWork) -> dict[str, object]:
        return {"RunStatus": "Cancelled"}

    async def cancel_again(unit: UnitOfWork) -> dict[str, object]:
        raise Conflict("Run 5 is Cancelled and can no longer be cancelled.")

    await database.run_once(cause(), cancel)
    monkeypatch.setattr(UnitOfWork, "record_of", read_before_the_twin_commits)
    assert await database.run_once(cause(), cancel_again) == {"RunStatus": "Cancelled"}
    assert looks == 2


async def test_a_refusal_to_wait_is_not_kept(database: Database) -> None:
    async def wait(unit: UnitOfWork) -> dict[str, object]:
        raise UnderWay("still computing")

    with pytest.raises(UnderWay):
        await database.run_once(cause(), wait)
    assert await record_of(database, cause()) is None


async def test_without_an_id_nothing_is_kept(database: Database) -> None:
    async def work(unit: UnitOfWork) -> dict[str, object]:
        return {"a": 1}

    assert await database.run_once(cause(id=None), work) == {"a": 1}
    assert await database.run_once(cause(id=None), work) == {"a": 1}


async def test_an_answer_under_way_is_finished_once(database: Database) -> None:
    async def begin(unit: UnitOfWork) -> None:
        await unit.add_record(cause(), IdempotencyRecord(under_way=True, reference="5"))

    await database.write(begin)
    assert await record_of(database, cause()) == IdempotencyRecord(under_way=True, reference="5")
    for body in ({"n": 1}, {"n": 2}):
        await database.write(
            lambda unit, body=body: unit.finish_record(cause(), IdempotencyRecord(body=body))  # type: ignore[misc]
        )
    assert await record_of(database, cause()) == IdempotencyRecord(body={"n": 1}, reference="5")


async def test_too_many_open_messages_refuse_the_write(database: Database) -> None:
    await database.write(lambda unit: unit.emit([message("k", n) for n in range(MAX_OPEN_ENTRIES_PER_LANE)]))
    with pytest.raises(Unavailable, match="events of k"):
        await database.write(lambda unit: unit.emit([message("k", 1000)]))
    await database.write(lambda unit: unit.emit([message("other", 1)]))
    database.open_entries.open_estimate = MAX_OPEN_ENTRIES
    with pytest.raises(Unavailable, match="wait for the broker"):
        await database.write(lambda unit: unit.emit([message("other", 2)]))


async def test_nothing_young_is_purged(database: Database) -> None:
    await database.write(lambda unit: unit.add_record(cause(), IdempotencyRecord(body={})))
    await database.write(lambda unit: taken(unit, "orders", "m1"))
    await database.open_entries.tidy()
    assert await record_of(database, cause()) is not None
    assert not await database.write(lambda unit: taken(unit, "orders", "m1"))


async def test_an_idempotency_key_is_kept_24_h_and_free_again_afterwards(database: Database) -> None:
    key = cause("\nann\n/hotw/run\nkey-1")
    table = IDEMPOTENCY_RECORDS

    async def answered(body: dict[str, object]) -> dict[str, object]:
        async def work(unit: UnitOfWork) -> dict[str, object]:
            return body

        return await database.run_once(key, work)

    async def pass_by(hours: float) -> None:
        [row] = await database.rows(select(table.c.ExpiresAt))
        await database.execute(update(table).values(ExpiresAt=row.ExpiresAt - timedelta(hours=hours)))

    assert await answered({"RunId": 1}) == {"RunId": 1}
    await pass_by(23.9)
    assert await answered({"RunId": 2}) == {"RunId": 1}
    await pass_by(0.2)
    assert await record_of(database, key) is None
    assert await answered({"RunId": 2}) == {"RunId": 2}
    await pass_by(24.1)
    await database.open_entries.tidy()
    assert not await database.rows(select(table))


async def test_a_writer_that_is_cancelled_leaves_no_lock_behind(opened: Callable[..., Database]) -> None:
    database, other = opened(), opened()
    begun = asyncio.Event()

    async def slow(unit: UnitOfWork) -> None:
        await unit.connection.execute(insert(COUNTERS).values(Name="a", Value=1))
        begun.set()
        for _ in range(20):
            await unit.connection.execute(select(COUNTERS))

    writer = asyncio.create_task(database.write(slow))
    await begun.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    async with asyncio.timeout(60):
        await other.write(lambda unit: unit.connection.execute(insert(COUNTERS).values(Name="b", Value=1)))

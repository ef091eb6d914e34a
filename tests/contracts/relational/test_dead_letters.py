"""Dead letters in a relational store: one for an id, in the order of their ids."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.relational import Database
from shared.schemas.results import DeadLetter


def letter(number: int, reason: str = "not JSON") -> DeadLetter:
    moment = datetime(2024, 6, 15, 9, tzinfo=UTC)
    return DeadLetter(
        id=f"hotw_svc.replicas:fleet.created:0:{number}", group="hotw_svc.replicas", topic="fleet.created", partition=0,
        offset=number, timestamp=moment, value="e30=", headers=[("ce_id", "ö")], reason=reason, attempts=1,
        dead_since=moment,
    )  # fmt: skip


async def test_a_letter_is_read_back_as_it_was_put(database: Database) -> None:
    store = database.dead_letters()
    await store.put(letter(1))
    assert await store.get(letter(1).id) == letter(1)
    assert await store.get(letter(2).id) is None


async def test_the_same_record_is_one_letter(database: Database) -> None:
    store = database.dead_letters()
    await store.put(letter(1))
    await store.put(letter(1, "worse"))
    assert await store.list() == [letter(1, "worse")]


async def test_letters_are_paged_in_the_order_of_their_ids(database: Database) -> None:
    store = database.dead_letters()
    for number in (3, 1, 2):
        await store.put(letter(number))
    assert await store.list(limit=2) == [letter(1), letter(2)]
    assert await store.list(letter(2).id) == [letter(3)]


async def test_a_dropped_letter_is_gone(database: Database) -> None:
    store = database.dead_letters()
    await store.put(letter(1))
    assert await store.delete(letter(1).id)
    assert not await store.delete(letter(1).id)
    assert await store.list() == []

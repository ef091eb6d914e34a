"""Dead letters: one for an id, in the order of their ids, alike in every store."""

from __future__ import annotations

from shared.schemas.results import DeadLetter
from tests.support.stores import NOW, AnyStore


def letter(number: int, reason: str = "not JSON") -> DeadLetter:
    return DeadLetter(
        id=f"g:t:0:{number}",
        group="g",
        topic="t",
        partition=0,
        offset=number,
        timestamp=NOW,
        key="aw==",
        value="e30=",
        headers=[("ce_id", "ö"), ("$x.y", "2")],
        reason=reason,
        attempts=5,
        dead_since=NOW,
    )


async def test_a_letter_is_read_back_as_it_was_put(store: AnyStore) -> None:
    letters = store.dead_letters()
    assert await letters.get(letter(1).id) is None
    await letters.put(letter(1))
    assert await letters.get(letter(1).id) == letter(1)


async def test_the_same_record_is_one_letter(store: AnyStore) -> None:
    letters = store.dead_letters()
    await letters.put(letter(1))
    await letters.put(letter(1, "still not JSON"))
    assert await letters.list() == [letter(1, "still not JSON")]


async def test_letters_are_paged_in_the_order_of_their_ids(store: AnyStore) -> None:
    letters = store.dead_letters()
    for number in (3, 1, 2):
        await letters.put(letter(number))
    assert await letters.list() == [letter(1), letter(2), letter(3)]
    assert await letters.list(after=letter(1).id, limit=1) == [letter(2)]
    assert await letters.list(limit=2) == [letter(1), letter(2)]


async def test_a_deleted_letter_is_gone(store: AnyStore) -> None:
    letters = store.dead_letters()
    for number in (1, 2):
        await letters.put(letter(number))
    assert await letters.delete(letter(1).id)
    assert not await letters.delete(letter(1).id)
    assert await letters.list() == [letter(2)]

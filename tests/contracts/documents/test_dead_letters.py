"""Where dead letters are kept, alike on every store."""

from __future__ import annotations

from shared.documents import Store
from shared.schemas.results import DeadLetter
from tests.contracts.documents.conftest import NOW


def letter(number: int, reason: str = "no JSON") -> DeadLetter:
    return DeadLetter(
        id=f"g:t:0:{number}", group="g", topic="t", partition=0, offset=number, timestamp=NOW, key="aw==", value=None,
        headers=[("ce_id", "1"), ("$x.y", "2")], reason=reason, attempts=5, dead_since=NOW,
    )  # fmt: skip


async def test_letters_are_kept_listed_and_dropped(store: Store) -> None:
    letters = store.dead_letters()
    assert await letters.get("g:t:0:1") is None
    for number in (3, 1, 2):
        await letters.put(letter(number))
    assert await letters.get("g:t:0:1") == letter(1)
    assert await letters.list() == [letter(1), letter(2), letter(3)]
    assert await letters.list(after="g:t:0:1", limit=1) == [letter(2)]
    assert await letters.delete("g:t:0:2")
    assert not await letters.delete("g:t:0:2")
    assert await letters.list() == [letter(1), letter(3)]


async def test_the_same_letter_again_takes_its_place(store: Store) -> None:
    letters = store.dead_letters()
    await letters.put(letter(1))
    await letters.put(letter(1, "still no JSON"))
    assert [kept.reason for kept in await letters.list()] == ["still no JSON"]

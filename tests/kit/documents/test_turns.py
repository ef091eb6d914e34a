"""The turns of those who write one document in MongoDB."""

from __future__ import annotations

import asyncio

import pytest

from shared.durability.turns import Turns
from shared.errors import Unavailable


async def test_writers_of_a_document_get_their_turns_as_they_came() -> None:
    turns, written, at_once = Turns("fleet F1"), list[int](), 0

    async def write(number: int) -> None:
        nonlocal at_once
        async with turns:
            at_once += 1
            assert at_once == 1
            await asyncio.sleep(0)
            written.append(number)
            at_once -= 1

    await asyncio.gather(*map(write, range(50)))

    assert written == list(range(50))


async def test_a_writer_that_comes_as_one_ends_does_not_overtake_those_who_wait() -> None:
    turns, written = Turns("fleet F1"), list[str]()

    async def write(name: str) -> None:
        async with turns:
            written.append(name)

    async with turns:
        waiting = asyncio.create_task(write("waited"))
        await asyncio.sleep(0)
    await asyncio.gather(write("came later"), waiting)

    assert written == ["waited", "came later"]


async def test_a_turn_that_does_not_come_in_time_names_how_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.durability.turns.TURN_SECONDS", 0.01)
    turns = Turns("fleet F1")

    async def write() -> None:
        async with turns:
            raise AssertionError("must not get a turn")

    async with turns:
        refused = await asyncio.gather(write(), write(), return_exceptions=True)
    assert [str(one) for one in refused] == [f"{n} writers wait for fleet F1; try again" for n in (2, 1)]
    assert all(isinstance(one, Unavailable) and one.slug == "busy" for one in refused)
    async with turns:
        pass

from __future__ import annotations

import asyncio

import pytest

from shared.errors import Unavailable
from shared.tasks import for_each


async def test_each_item_is_worked_on_once_and_no_more_at_once_than_asked() -> None:
    under_way, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done.append(item)

    await for_each(range(20), work, at_once=3)
    assert (sorted(done), most) == (list(range(20)), 3)
    await for_each([], work, at_once=3)


async def test_the_first_error_is_raised_as_it_is_and_ends_the_others() -> None:
    cancelled = []

    async def work(item: int) -> None:
        if item == 1:
            raise Unavailable("the store is away")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    with pytest.raises(Unavailable):
        await for_each(range(3), work, at_once=3)
    assert sorted(cancelled) == [0, 2]

"""What a fault took away comes back, also when somebody breaks it off."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.disturbing import to_its_end


async def test_a_fault_that_is_broken_off_is_carried_to_its_end_first() -> None:
    taken_away, may_come_back, back = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def fault() -> None:
        taken_away.set()
        await may_come_back.wait()
        back.set()

    under_way = asyncio.create_task(to_its_end(fault()))
    await taken_away.wait()
    under_way.cancel()
    may_come_back.set()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert back.is_set()


async def test_a_fault_that_fails_says_so() -> None:
    async def fault() -> None:
        raise ConnectionError("no server to kill")

    with pytest.raises(ConnectionError, match="no server to kill"):
        await to_its_end(fault())

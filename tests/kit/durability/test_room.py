"""Writers that wait for room in a full lane: in which order they go on, and which reason they get if they do not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from shared.durability.outbox import Lane, OutboxFull
from shared.durability.room import TURN_SECONDS, Room
from shared.errors import Unavailable

LANE: Lane = ("fleet", "F1")
FULL = OutboxFull(LANE, 200)


def waiting(room: Room, gone_on: list[int], since: Callable[[int], float]) -> list[asyncio.Task[None]]:
    """Fifty writers, the n-th of which asked for its write at ``since(n)``."""

    async def write(number: int) -> None:
        await room.wait(FULL, since=since(number), stalled=False)
        gone_on.append(number)

    return [asyncio.create_task(write(number)) for number in range(50)]


@pytest.mark.parametrize("ages", ["as they come", "the last one first"])
async def test_as_many_go_on_as_have_room_those_first_that_asked_first(ages: str) -> None:
    now, sign = time.monotonic(), 1 if ages == "as they come" else -1
    room, gone_on = Room(), list[int]()
    writers = waiting(room, gone_on, lambda number: now + sign * number / 100)
    order = list(range(50))[::sign]
    await asyncio.sleep(0)

    room.make([LANE, ("fleet", "F2"), LANE])
    await asyncio.wait(writers, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    assert gone_on == order[:2]

    room.make([LANE] * 60)
    await asyncio.gather(*writers)
    assert gone_on == order
    assert room.writers == {}


async def test_a_broker_that_takes_nothing_is_the_reason_at_once() -> None:
    with pytest.raises(Unavailable, match="200 events of fleet F1 wait for the broker"):
        await Room().wait(FULL, since=time.monotonic(), stalled=True)


async def test_a_broker_that_has_made_no_room_is_the_reason_in_the_end() -> None:
    with pytest.raises(Unavailable, match="wait for the broker"):
        await Room().wait(FULL, since=time.monotonic() - TURN_SECONDS - 1, stalled=False)


async def test_other_writers_are_the_reason_where_the_broker_takes_events() -> None:
    room, now = Room(), time.monotonic()
    room.make([LANE])
    writers = waiting(room, [], lambda _: now)
    await asyncio.sleep(0)

    with pytest.raises(Unavailable, match="51 writers wait for fleet F1; try again") as refused:
        await room.wait(FULL, since=now - TURN_SECONDS - 1, stalled=False)
    assert (refused.value.slug, refused.value.retry_after) == ("busy", 2)
    room.make([LANE] * 50)
    await asyncio.gather(*writers)

"""Leases: one holder at a time, whose number grows, and no write by a holder of before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.durability.lease import LeaseLost, Leases
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

LONG = 600.0


async def test_a_lease_has_one_holder_until_it_is_released(leases: Leases) -> None:
    first = await leases.claim("work", "a", LONG)
    assert first is not None
    assert await leases.claim("work", "b", LONG) is None
    assert await leases.claim("other work", "b", LONG) is not None
    await leases.release(first)
    second = await leases.claim("work", "b", LONG)
    assert second is not None
    assert second.fence > first.fence


async def test_of_racing_takers_in_two_processes_one_has_it(
    open_leases: Callable[[], Awaitable[Leases]],
) -> None:
    processes = [await open_leases(), await open_leases()]
    for round_ in range(5):
        taken = await asyncio.gather(*(processes[n % 2].claim(f"work-{round_}", f"h{n}", LONG) for n in range(10)))
        assert len([lease for lease in taken if lease is not None]) == 1


async def test_a_lease_that_ran_out_is_taken_under_a_higher_number(leases: Leases) -> None:
    dead = await leases.claim("work", "dead", 0.2)
    assert dead is not None
    heir = await eventually(lambda: leases.claim("work", "heir", LONG), bool, "the dead holder's lease")
    assert heir is not None
    assert heir.fence > dead.fence


async def test_a_renewed_lease_does_not_run_out(leases: Leases) -> None:
    lease = await leases.claim("work", "a", 0.2)
    assert lease is not None
    await leases.renew(lease, LONG)
    assert await leases.claim("taken later", "a", 0.2) is not None
    await eventually(lambda: leases.claim("taken later", "b", LONG), bool, "a later lease that ran out")
    assert await leases.claim("work", "b", LONG) is None


async def test_a_stale_holder_can_neither_write_nor_release(leases: Leases) -> None:
    stale = await leases.claim("work", "a", 0.0)
    assert stale is not None
    await leases.renew(stale, 0.0, {"done": 1})
    present = await eventually(lambda: leases.claim("work", "b", LONG), bool, "a lease that ran out")
    assert present is not None
    assert present.record == {"done": 1}
    with pytest.raises(LeaseLost):
        await leases.renew(stale, LONG, {"done": 2})
    await leases.release(stale)
    assert await leases.claim("work", "c", LONG) is None
    assert await leases.record_of("work") == {"done": 1}


async def test_a_lease_that_ran_out_is_renewed_while_nobody_else_took_it(leases: Leases) -> None:
    lease = await leases.claim("work", "a", 0.0)
    assert lease is not None
    await leases.renew(lease, LONG)
    assert await leases.claim("work", "b", LONG) is None


async def test_the_same_holder_may_take_its_lease_again(leases: Leases) -> None:
    first = await leases.claim("work", "a", LONG)
    again = await leases.claim("work", "a", LONG)
    assert first is not None
    assert again is not None
    assert again.fence > first.fence


async def test_a_lease_taken_from_others_is_lost_to_them(leases: Leases) -> None:
    held = await leases.claim("work", "a", LONG)
    assert held is not None
    taken = await leases.claim("work", "b", LONG, from_others=True)
    assert taken is not None
    assert taken.fence > held.fence
    with pytest.raises(LeaseLost):
        await leases.renew(held, LONG)


async def test_the_record_outlives_its_holders(open_leases: Callable[[], Awaitable[Leases]]) -> None:
    leases, other = await open_leases(), await open_leases()
    assert await leases.record_of("work") == {}
    lease = await leases.claim("work", "a", LONG)
    assert lease is not None
    await leases.renew(lease, LONG, {"a.b": ["$set", None, 1.5], "ö": {}})
    await leases.renew(lease, LONG)
    await leases.release(lease)
    assert await other.record_of("work") == {"a.b": ["$set", None, 1.5], "ö": {}}

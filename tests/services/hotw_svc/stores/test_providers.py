"""What a provider is asked for follows the decisions, whatever fails between them (7.8.37 to 7.8.42, 7.9.26)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.providers.ask_provider import ask_provider
from services.hotw_svc.app.providers.look_at_groups import look_at_groups
from services.hotw_svc.app.providers.provider import GroupName, Throttled
from shared.errors import Unavailable
from tests.support.clock import FixedClock
from tests.support.fake_provider import FakeGroup, FakeProvider
from tests.support.hotw_store import (
    AZ_FACTORS,
    EVENT,
    FLEET,
    Broker,
    Replica,
    event_body,
    fleet_body,
    open_replica,
    projection_body,
    snapshot,
)

pytestmark = pytest.mark.slow

ASGS = [f"FORTRESSService/NA/X0/Prod/1{letter}" for letter in "abc"]
A, B, C = (GroupName("us-east-1", name) for name in ASGS)
START, END = datetime(2024, 7, 15, tzinfo=UTC), datetime(2024, 7, 19, tzinfo=UTC)


@pytest.fixture
async def asking(address: str | Path, clock: FixedClock, broker: Broker) -> AsyncIterator[Replica]:
    """A replica with a provider to ask, the reference's company, and its three orders of 20, 20 and 10 hosts."""
    replica = open_replica(address, clock, broker, AZ_FACTORS, queue_groups=True)
    await replica.database.prepare()
    await replica.settle_in()
    await replica.execute()
    yield replica
    await replica.database.stop()


@pytest.fixture
def provider(clock: FixedClock) -> FakeProvider:
    return FakeProvider(clock, {group: FakeGroup(5, 50, 60) for group in (A, B, C)})


async def ask(hotw: Replica, provider: FakeProvider) -> bool:
    return await ask_provider(store=hotw.store, provider=provider, clock=hotw.clock)


async def look(hotw: Replica, provider: FakeProvider, *, repair: bool = False) -> int:
    return await look_at_groups(
        store=hotw.store,
        leases=hotw.database.leases(),
        provider=provider,
        clock=hotw.clock,
        repair=repair,
        every=0,
    )


async def approved(hotw: Replica, *numbers: int) -> None:
    orders = (await hotw.queries.orders(event_id=EVENT, fleet_id=FLEET, status=None, after=None, limit=10)).items
    for number in numbers:
        await hotw.review(orders[number]["FulfillmentId"], "Approve")


async def groups(hotw: Replica) -> list[Any]:
    return list(await hotw.database.rows(select(t.provider_group).order_by(t.provider_group.c.AutoScalingGroupName)))


async def waited(hotw: Replica) -> None:
    """The pauses after failures are over."""
    table = t.provider_group
    past = datetime(2000, 1, 1, tzinfo=UTC)
    await hotw.database.execute(update(table).where(table.c.DueAt.is_not(None)).values(DueAt=past))


async def test_an_approval_asks_for_a_raise_and_its_end(asking: Replica, provider: FakeProvider) -> None:
    assert not await ask(asking, provider), "what is only proposed asks for nothing"
    await approved(asking, 0)
    assert await ask(asking, provider)
    assert provider.curve(A) == [(START, 70), (END, 50)]
    assert (provider.curve(B), provider.curve(C)) == ([], [])
    assert provider.asked == [f"submit {EVENT}-{A.name}-2", f"submit {EVENT}-{A.name}-1"], "the end comes first"
    assert not await ask(asking, provider)


async def test_each_later_decision_changes_the_actions_under_their_names(
    asking: Replica, provider: FakeProvider
) -> None:
    await approved(asking, 0)
    await ask(asking, provider)
    await asking.keep("event", snapshot(EVENT, event_body(3, EndOffset=3)))
    await ask(asking, provider)
    assert provider.curve(A) == [(START, 70), (datetime(2024, 7, 21, tzinfo=UTC), 50)]
    await asking.keep("event", snapshot(EVENT, event_body(4, IsActive=False)))
    await ask(asking, provider)
    assert provider.curve(A) == []


async def test_events_on_one_group_share_its_actions(asking: Replica, provider: FakeProvider) -> None:
    """7.8.37, 7.9.13."""
    await approved(asking, 0)
    late = event_body(EventId="Late", PeakStartDate="2024-07-18", PeakEndDate="2024-07-20")
    await asking.keep("event", snapshot("Late", late))
    key = f"{FLEET}#Late#Peak"
    await asking.keep("projection", snapshot(key, projection_body(EventId="Late", ProjectionId=key)))
    done = await asking.execute(EventId="Late")
    (order,) = (o for o in done["FulfillmentDetails"] if o["AutoScalingGroupName"] == A.name)
    await asking.review(order["FulfillmentId"], "Approve")
    await ask(asking, provider)
    assert order["FulfillmentValue"] == 20
    assert provider.curve(A) == [(START, 70), (datetime(2024, 7, 22, tzinfo=UTC), 50)], "no dip between them"


async def test_a_provider_that_is_away_delays_and_asks_no_twice(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0, 1)
    provider.failing = [Unavailable("away"), Unavailable("away")]
    await ask(asking, provider)
    assert provider.asked == []
    assert [(row.Attempts, row.Failure) for row in await groups(asking)] == [(1, "away")] * 2
    await ask(asking, provider)
    assert provider.asked == [], "a group that failed waits"
    await waited(asking)
    await ask(asking, provider)
    assert provider.curve(A) == provider.curve(B) == [(START, 70), (END, 50)]
    assert [(row.Attempts, row.Failure, row.DueAt) for row in await groups(asking)] == [(0, None, None)] * 2


async def test_a_provider_that_times_out_after_it_has_acted_is_asked_again_without_harm(
    asking: Replica, provider: FakeProvider
) -> None:
    await approved(asking, 0)
    provider.failing_after = [Unavailable("no answer")]
    await ask(asking, provider)
    assert provider.curve(A) == [(END, 50)]
    await waited(asking)
    provider.failing_after = [Unavailable("no answer")]
    await ask(asking, provider)
    assert provider.curve(A) == [(START, 70), (END, 50)]
    before = list(provider.asked)
    await waited(asking)
    await ask(asking, provider)
    assert (provider.asked, provider.curve(A)) == (before, [(START, 70), (END, 50)]), "all of it was there"
    assert [row.DueAt for row in await groups(asking)] == [None]


async def test_who_dies_while_it_asks_leaves_the_group_to_the_next(asking: Replica, provider: FakeProvider) -> None:
    """Between the two halves of a submission: the end is there, and the raise follows."""
    await approved(asking, 0)
    provider.failing_after = [asyncio.CancelledError()]
    with pytest.raises(asyncio.CancelledError):
        await ask(asking, provider)
    assert provider.curve(A) == [(END, 50)]
    assert not await ask(asking, provider), "the claim of the dead still holds"
    await waited(asking)
    await ask(asking, provider)
    assert provider.curve(A) == [(START, 70), (END, 50)]


async def test_a_throttled_provider_is_left_alone_with_the_others_too(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0, 1, 2)
    provider.failing = [Throttled("slow down")]
    assert not await ask(asking, provider)
    assert provider.asked == []
    await waited(asking)
    assert await ask(asking, provider)
    assert [provider.curve(group)[0][1] for group in (A, B, C)] == [70, 70, 60]


async def test_a_group_whose_end_is_refused_is_not_raised(asking: Replica, provider: FakeProvider) -> None:
    """7.9.12: never without an end."""
    await approved(asking, 0)
    provider.refusing = {f"{EVENT}-{A.name}-2"}
    await ask(asking, provider)
    assert provider.curve(A) == []
    assert (await groups(asking))[0].Failure == f"{EVENT}-{A.name}-2: not taken"


async def test_a_group_that_is_not_there_delays_its_own_orders_only(asking: Replica, provider: FakeProvider) -> None:
    del provider.groups[A]
    await approved(asking, 0, 1)
    await ask(asking, provider)
    assert provider.curve(B) == [(START, 70), (END, 50)]
    assert [row.Failure for row in await groups(asking)] == [f"there is no group {A.name} in us-east-1", None]


async def test_a_group_that_went_with_its_event_is_asked_for_no_more(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0)
    await ask(asking, provider)
    del provider.groups[A]
    await asking.keep("event", snapshot(EVENT, event_body(4, IsActive=False)))
    await ask(asking, provider)
    assert [(row.DueAt, row.Failure) for row in await groups(asking)][:1] == [(None, None)]


async def test_a_decision_while_the_provider_is_asked_is_asked_for_next(
    asking: Replica, provider: FakeProvider
) -> None:
    await approved(asking, 0)
    orders = (await asking.queries.orders(event_id=EVENT, fleet_id=FLEET, status=None, after=None, limit=1)).items
    read_back = provider.read_back

    async def cancelling(group: GroupName) -> Any:
        provider.read_back = read_back  # type: ignore[method-assign]
        await asking.review(orders[0]["FulfillmentId"], "Cancel")
        return await read_back(group)

    provider.read_back = cancelling  # type: ignore[method-assign]
    await ask(asking, provider)
    assert provider.asked == [], "what was read is no longer wanted"
    await ask(asking, provider)
    assert (provider.curve(A), (await groups(asking))[0].DueAt) == ([], None)


async def test_two_processes_ask_for_each_group_once(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0, 1, 2)
    await asyncio.gather(*(ask(asking, provider) for _ in range(3)))
    assert sorted(provider.asked) == sorted(f"submit {EVENT}-{group.name}-{n}" for group in (A, B, C) for n in (1, 2))


async def test_a_drift_is_published_at_its_second_look_and_once(asking: Replica, provider: FakeProvider) -> None:
    """7.9.26: the sizes of the owner, before and after, are no drift."""
    await approved(asking, 0)
    await ask(asking, provider)
    asking.clock.set("2024-07-15T12:00:00Z")
    await asking.sweep()
    await ask(asking, provider)
    assert await look(asking, provider) == 1
    provider.groups[A].desired_capacity = 64
    for _ in range(4):
        await look(asking, provider)
    (fact,) = (await asking.published()).facts("hotw.override.drifted")
    assert fact["DriftReason"] == f"{A.name}: it has 64 hosts, at least 70; 70, at least 70, were asked for"
    assert (fact["EventId"], len(fact["FulfillmentIds"])) == (EVENT, 1)
    assert provider.groups[A].desired_capacity == 64, "nobody repairs it unasked"
    provider.groups[A].desired_capacity = 70
    await look(asking, provider)
    provider.groups[A].desired_capacity = 65
    await look(asking, provider)
    assert len((await asking.published()).facts("hotw.override.drifted")) == 1
    await look(asking, provider)
    assert len((await asking.published()).facts("hotw.override.drifted")) == 2


async def test_a_drift_is_repaired_where_that_is_configured(asking: Replica, provider: FakeProvider) -> None:
    """7.8.21b: also a scheduled action that somebody took away."""
    await approved(asking, 0)
    await ask(asking, provider)
    provider.groups[A].actions.clear()
    for _ in range(2):
        await look(asking, provider, repair=True)
    await ask(asking, provider)
    assert provider.curve(A) == [(START, 70), (END, 50)]
    asking.clock.set("2024-07-15T12:00:00Z")
    await provider.read_back(A)
    provider.groups[A].desired_capacity = 64
    for _ in range(2):
        await look(asking, provider, repair=True)
    await ask(asking, provider)
    asking.clock.set("2024-07-15T12:02:00Z")
    state = await provider.read_back(A)
    assert state is not None
    assert (state.min_size, state.desired_capacity) == (70, 70)
    assert provider.curve(A) == [(END, 50)]


async def test_a_provider_that_does_not_answer_is_no_drift(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0)
    await ask(asking, provider)
    provider.failing = [Unavailable("away")] * 3
    for _ in range(3):
        await look(asking, provider)
    assert [row.Drifts for row in await groups(asking)] == [0]


async def test_a_group_that_was_given_back_is_looked_at_no_more(asking: Replica, provider: FakeProvider) -> None:
    await approved(asking, 0)
    await ask(asking, provider)
    asking.clock.set("2024-07-20T00:00:00Z")
    await asking.sweep()
    while await ask(asking, provider):
        pass
    state = await provider.read_back(A)
    assert state is not None
    assert (state.min_size, state.desired_capacity, state.max_size) == (5, 50, 50), "MaxInstance is the fleet's"
    assert [await look(asking, provider) for _ in range(2)] == [1, 0]


async def test_changed_sizes_of_the_fleet_change_the_end(asking: Replica, provider: FakeProvider) -> None:
    """7.8.42: a look notices what no decision has queued."""
    await approved(asking, 0)
    await ask(asking, provider)
    body = fleet_body(version=6)
    body["FleetConfiguration"]["ASGProperties"][0] |= {"MinInstance": 7, "MaxInstance": 90}
    await asking.keep("fleet", snapshot(FLEET, body))
    await look(asking, provider)
    await ask(asking, provider)
    ends = [action for action in provider.groups[A].actions.values() if action.restores]
    assert [(end.min_size, end.max_size) for end in ends] == [(7, 90)]


async def test_without_a_provider_nothing_is_queued(hotw: Replica) -> None:
    """7.8.15: the ledger is people."""
    await hotw.settle_in()
    await hotw.execute()
    await approved(hotw, 0)
    assert await groups(hotw) == []

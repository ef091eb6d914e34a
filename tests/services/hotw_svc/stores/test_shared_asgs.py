"""Two events' overrides on one ASG: each sees the decisions about the other's orders (7.9.4, 7.9.13; ADR 0016)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import select

from services.hotw_svc.adapters import tables as t
from tests.support.hotw_store import EVENT, FLEET, SUMMER, Replica, event_body, many, projection_body, snapshot, summer


async def first_orders(hotw: Replica, event_id: str) -> tuple[str, int]:
    """The order that an execution for the event places on the first ASG, and its hosts."""
    order = (await hotw.execute(EventId=event_id))["FulfillmentDetails"][0]
    assert order["AutoScalingGroupName"].endswith("1a")
    return order["FulfillmentId"], order["FulfillmentValue"]


async def raised(hotw: Replica) -> dict[str, int]:
    """By event, what its live override adds to the base of the first ASG."""
    table = t.capacity_override_details
    query = (
        select(t.event_index.c.EventId, (table.c.OverrideValue - table.c.BaseCapacity).label("Added"))
        .join(t.event_index, t.event_index.c.EventIndexId == table.c.EventIndexId)
        .where(table.c.AutoScalingGroupName.endswith("1a"), table.c.OverrideStatus.in_(["Proposed", "Approved"]))
    )
    async with hotw.database.read() as connection:
        return {row.EventId: row.Added for row in await connection.execute(query)}


async def test_a_decision_about_one_events_order_is_in_the_others_value_at_once(hotw: Replica) -> None:
    """7.9.4, 7.9.7"""
    await hotw.settle_in(configuration={"MaxHostCount": 1000})
    await summer(hotw, [FLEET])
    prime, of_prime = await first_orders(hotw, EVENT)
    await hotw.review(prime, "Approve")
    late, of_summer = await first_orders(hotw, SUMMER)
    assert await raised(hotw) == {EVENT: of_prime, SUMMER: of_prime}
    await hotw.review(late, "Approve")
    assert await raised(hotw) == {EVENT: of_prime + of_summer, SUMMER: of_prime + of_summer}
    await hotw.deliver(late, 3)
    await hotw.review(late, "Cancel")
    assert await raised(hotw) == {EVENT: of_prime + 3, SUMMER: of_prime + 3}
    await hotw.keep("event", snapshot(EVENT, event_body(3, PeakStartDate="2024-08-16", PeakEndDate="2024-08-17")))
    assert await raised(hotw) == {EVENT: of_prime, SUMMER: 3}
    await hotw.keep("event", snapshot(EVENT, event_body(4)))
    await hotw.keep("event", snapshot(EVENT, event_body(5), deleted=True))
    assert await raised(hotw) == {SUMMER: 3}


async def test_decisions_at_one_time_about_two_events_see_each_other(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    """7.9.4: the fleet's row lock lets no decision be written over one that it has not seen."""
    await hotw.settle_in(configuration={"MaxHostCount": 1000})
    await summer(hotw, [FLEET])
    replicas = [hotw, another()]
    for number in range(5):
        orders = [await first_orders(hotw, event_id) for event_id in (EVENT, SUMMER)]
        before = await raised(hotw)
        assert before[EVENT] == before[SUMMER]
        together = zip(replicas if number % 2 else reversed(replicas), orders, strict=True)
        await asyncio.gather(*(replica.review(order, "Approve") for replica, (order, _) in together))
        hosts = before[EVENT] + sum(value for _, value in orders)
        assert await raised(hotw) == {EVENT: hosts, SUMMER: hosts}
        for event_id, version in ((EVENT, 10 + number), (SUMMER, 10 + number)):
            key = f"{FLEET}#{event_id}#Peak"
            body = projection_body(version=version, EventId=event_id, TotalInputTPM=100_000 + number * 40_000)
            await hotw.keep("projection", snapshot(key, {**body, "ProjectionId": key}))


async def test_a_chunk_takes_as_many_statements_however_many_fleets_share_asgs(hotw: Replica) -> None:
    fleets = await many(hotw, 12)
    await summer(hotw, fleets)
    few, most = fleets[:2], fleets[2:]
    await hotw.run(FleetIds=fleets)
    taken = []
    for chunk in (few, most):
        run = await hotw.start(EventId=SUMMER, FleetIds=chunk)
        with hotw.statements() as seen:
            await hotw.work(run["RunId"])
        taken.append(len(seen))
    assert taken[0] == taken[1]

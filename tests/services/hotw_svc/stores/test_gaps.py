"""Gaps: a changed input checks again what a fleet lacks, and orders nothing (HOTW rule 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.orders.check_gaps import check_gaps
from tests.support.clock import FixedClock
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    NOW,
    SERVICE,
    Replica,
    bau_body,
    counted,
    custom_input,
    custom_input_body,
    event_body,
    exception_body,
    fleet_body,
    formula_body,
    inventory_body,
    many,
    philosophy_body,
    projection_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow

PROJECTION = f"{FLEET}#{EVENT}#Peak"
KEY = f"{EVENT}#{FLEET}#Upscaling"


async def check(hotw: Replica) -> None:
    while await check_gaps(store=hotw.store, clock=hotw.clock):
        pass


async def gaps(hotw: Replica, event_id: str = EVENT) -> dict[str, tuple[int, str]]:
    """The open gaps by fleet, with since when."""
    page = await hotw.queries.gaps(event_id, after=None, limit=100)
    return {item["FleetId"]: (item["Gap"], item["Since"]) for item in page.items}


async def gap(hotw: Replica) -> int:
    await check(hotw)
    return (await gaps(hotw)).get(FLEET, (0, ""))[0]


async def facts(hotw: Replica) -> list[tuple[str, int, str]]:
    """The facts about gaps in their order: opened or closed, how many hosts, since when."""
    taken = (await hotw.published()).taken
    bodies = [(message.topic, message.body()) for message in taken if message.topic.startswith("hotw.gap.")]
    return [(topic.rpartition(".")[2], body["Gap"], body["Since"]) for topic, body in bodies]


async def ordered(hotw: Replica, **changes: Any) -> list[str]:
    """The reference's company after its first run: 200 hosts required, 150 present, 50 pending. Its orders."""
    await hotw.settle_in(**changes)
    done = await hotw.execute()
    assert done["Status"] == "Success"
    return [order["FulfillmentId"] for order in done["FulfillmentDetails"]]


@pytest.fixture
async def orders(hotw: Replica) -> list[str]:
    """Without a cap, so that every change of the need shows: 220 required, 150 present, 70 pending."""
    return await ordered(hotw, configuration={"MaxHostCount": 1000})


async def test_no_gap_is_open_after_a_run_that_ordered_all(hotw: Replica) -> None:
    await ordered(hotw)
    assert await gap(hotw) == 0
    assert await facts(hotw) == []
    assert await counted(hotw, t.gap_mark) == 0


FREE = {"MaxHostCount": 1000}
EXCEPTION = exception_body()["ExceptionId"]
CHANGES: list[tuple[str, Any, Any, int]] = [
    # 7.10.6: 264 hosts of 60,000 TPM
    (
        "projection",
        snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)),
        snapshot(PROJECTION, projection_body(version=5)),
        44,
    ),
    # 7.10.7
    (
        "fleet",
        snapshot(FLEET, fleet_body(version=6, configuration={**FREE, "HostThroughPutTPM": 200})),
        snapshot(FLEET, fleet_body(version=7, configuration=FREE)),
        55,
    ),
    # 7.10.8
    (
        "inventory",
        snapshot(FLEET, inventory_body(hosts=140, as_of="2024-06-15T08:00:00.000Z")),
        snapshot(FLEET, inventory_body(hosts=150, as_of="2024-06-15T08:01:00.000Z")),
        10,
    ),
    # 7.10.9: a factor of 1.3, which expires
    (
        "exception",
        snapshot(EXCEPTION, exception_body()),
        snapshot(EXCEPTION, exception_body(version=3, Status="Expired", ExpiresOn="2024-06-01")),
        40,
    ),
    # 7.10.10
    (
        "philosophy",
        snapshot(SERVICE, philosophy_body(MinHosts=300)),
        snapshot(SERVICE, philosophy_body(version=2), deleted=True),
        80,
    ),
    (
        "service",
        snapshot(SERVICE, service_body(version=4, Philosophy={"MinHosts": 300})),
        snapshot(SERVICE, service_body(version=5)),
        80,
    ),
    # 7.10.11
    ("custom_formula", snapshot(SERVICE, formula_body()), snapshot(SERVICE, formula_body(version=2), deleted=True), 2),
    # 7.10.12: 55,000 TPM; then a factor of 1.2 for all fleets
    ("custom_input", custom_input(custom_input_body()), custom_input(custom_input_body(version=2), deleted=True), 22),
    (
        "custom_input",
        custom_input(custom_input_body("all", fleet_id=None, Input={"BufferFactor": 1.2})),
        custom_input(custom_input_body("all", 2, fleet_id=None, Input={"BufferFactor": 1.2}), deleted=True),
        20,
    ),
]


async def test_each_changed_input_is_checked_again_and_orders_nothing(hotw: Replica, orders: list[str]) -> None:
    """7.10.3 to 7.10.5, 7.10.15, 7.10.17."""
    seen: list[tuple[str, int]] = []
    for kind, change, back, expected in CHANGES:
        await hotw.keep(kind, change)
        assert await gap(hotw) == expected, kind
        await hotw.keep(kind, back)
        assert await gap(hotw) == 0, kind
        seen += [("opened", expected), ("closed", 0)]
    assert [fact[:2] for fact in await facts(hotw)] == seen
    assert (len(await hotw.executions()), await counted(hotw, t.fulfillment_details)) == (1, 3)
    assert await counted(hotw, t.gap_mark) == 0


async def test_what_a_fleet_does_not_rest_on_opens_no_gap(hotw: Replica, orders: list[str]) -> None:
    """7.10.14: PeakTPM has a projection; 7.10.14a: the fleet gives its own buffer."""
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=90_000)))
    await hotw.keep("event", snapshot(EVENT, event_body(version=3, DefaultBufferPercentage=20)))
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=40_000)))
    assert await gap(hotw) == 0
    assert await facts(hotw) == []


async def test_the_events_default_buffer_is_checked_where_it_counts(hotw: Replica) -> None:
    """7.10.14a, 4.463."""
    await ordered(hotw, configuration={"MaxHostCount": 1000, "BufferPercentage": None})
    await hotw.keep("event", snapshot(EVENT, event_body(version=3, DefaultBufferPercentage=20)))
    assert await gap(hotw) == 40


async def test_bautpm_is_checked_where_the_tpm_rests_on_it(hotw: Replica) -> None:
    """7.10.14."""
    await hotw.settle_in(configuration={"MaxHostCount": 1000})
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4), deleted=True))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=30_000)))
    await hotw.execute()
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(version=2, BAUTPM=40_000)))
    assert await gap(hotw) == 66


async def test_a_gap_keeps_its_begin_while_it_changes(hotw: Replica, orders: list[str], clock: FixedClock) -> None:
    """7.10.16, 7.10.17."""
    for version, (tpm, now) in enumerate(
        ((60_000, NOW), (55_000, "2024-06-16T09:00:00Z"), (55_000, "2024-06-17T09:00:00Z"), (1, "2024-06-18T09:00:00Z"))
    ):
        clock.set(now)
        await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4 + version, TotalInputTPM=tpm)))
        await check(hotw)
    since = "2024-06-15T09:00:00.000Z"
    assert await facts(hotw) == [("opened", 44, since), ("opened", 22, since), ("closed", 0, since)]
    numbers = [message.body()["OrdersVersionId"] for message in hotw.broker.taken if message.key == KEY]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await gaps(hotw) == {}


@pytest.mark.parametrize("decision", ["Reject", "Cancel"])
async def test_a_lost_order_opens_a_gap_at_once(hotw: Replica, orders: list[str], decision: str) -> None:
    """7.10.13."""
    await hotw.review(orders[0], decision, Reason="no hardware")
    lost = next(one for one in (await hotw.executions())[0]["FulfillmentDetails"] if one["FulfillmentId"] == orders[0])
    assert await gap(hotw) == lost["FulfillmentValue"]


async def test_another_run_orders_what_is_lacking_and_closes_the_gap(hotw: Replica, orders: list[str]) -> None:
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 44
    assert (await hotw.execute())["OrderedHosts"] == 44
    assert await gaps(hotw) == {}
    assert [fact[0] for fact in await facts(hotw)] == ["opened", "closed"]


async def test_a_run_that_fails_closes_the_gap(hotw: Replica, orders: list[str]) -> None:
    """7.10.2, 7.10.18a."""
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 44
    fleet = fleet_body(version=6, configuration={"MaxHostCount": 1000, "EAPEnrolledStatus": False})
    await hotw.keep("fleet", snapshot(FLEET, fleet))
    assert (await hotw.execute())["Status"] == "Fail"
    assert [fact[0] for fact in await facts(hotw)] == ["opened", "closed"]
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=5, TotalInputTPM=70_000)))
    assert await gap(hotw) == 0


async def test_a_run_opens_no_gap_by_hosts_that_found_no_room(hotw: Replica) -> None:
    """7.10.3; an open gap becomes what found no room (7.10.16)."""
    room = [
        {
            "AutoScalingGroupName": "A",
            "AvailabilityZone": "us-east-1a",
            "DesiredCapacity": 150,
            "MaxOverrideCapacity": 170,
        }
    ]
    configuration = {"MaxHostCount": 1000, "ASGProperties": room}
    await hotw.settle_in(configuration=configuration)
    await check(hotw)  # what the company's inputs marked
    assert (await hotw.execute())["Shortfall"] == 50
    assert await gap(hotw) == 0
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 94
    room[0]["MaxOverrideCapacity"] = 200
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6, configuration=configuration)))
    assert (await hotw.execute())["Shortfall"] == 64
    assert [fact[:2] for fact in await facts(hotw)] == [("opened", 94), ("opened", 64)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("event", snapshot(EVENT, event_body(version=3, IsActive=False))),
        ("event", snapshot(EVENT, event_body(version=3), deleted=True)),
        ("event", snapshot(EVENT, event_body(version=3, RegionList=["eu-west-1"]))),
        ("fleet", snapshot(FLEET, fleet_body(version=9), deleted=True)),
        ("service", snapshot(SERVICE, service_body(version=9), deleted=True)),
        ("service", snapshot(SERVICE, service_body(version=9, ServiceType="Onboarding"))),
    ],
    ids=["inactive", "event-deleted", "region-dropped", "fleet-deleted", "service-deleted", "not-registered"],
)
async def test_a_gap_closes_with_the_fleets_part_in_the_event(
    hotw: Replica, orders: list[str], kind: str, change: Any
) -> None:
    """7.10.18b."""
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 44
    await hotw.keep(kind, change)
    await check(hotw)
    assert [fact[:2] for fact in await facts(hotw)] == [("opened", 44), ("closed", 0)]
    assert await counted(hotw, t.gap_mark) == 0


async def test_a_gap_closes_when_the_peak_ends(hotw: Replica, orders: list[str], clock: FixedClock) -> None:
    """7.10.1, 7.10.18."""
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 44
    clock.set("2024-07-17T23:59:59.999Z")
    await hotw.sweep()
    assert await gaps(hotw) != {}
    clock.set("2024-07-18T00:00:00Z")
    await hotw.sweep()
    assert await gaps(hotw) == {}
    assert [fact[0] for fact in await facts(hotw)] == ["opened", "closed"]


async def test_an_input_that_cannot_be_worked_with_leaves_the_gap_as_it_is(hotw: Replica, orders: list[str]) -> None:
    await hotw.keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    assert await gap(hotw) == 44
    configuration = {"MaxHostCount": 1000, "HostThroughPutTPM": None}
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=6, configuration=configuration)))
    assert await gap(hotw) == 44


async def test_a_change_while_a_run_works_a_fleet_out_is_checked_after_it(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    """The run may have read the input as it was: nothing is missed, though there was no book to mark yet."""
    await hotw.settle_in(configuration={"MaxHostCount": 1000})
    run = await hotw.start()
    await another().keep("projection", snapshot(PROJECTION, projection_body(version=4, TotalInputTPM=60_000)))
    await check(hotw)
    assert await counted(hotw, t.gap_mark) > 0
    await hotw.work(run["RunId"])
    assert await gap(hotw) == 0
    assert await counted(hotw, t.gap_mark) == 0


async def test_several_processes_check_at_once_and_publish_each_gap_once(
    hotw: Replica, another: Callable[[], Replica]
) -> None:
    fleets = await many(hotw, 30)
    await hotw.run()
    services = [f"Service-{number}" for number in range(6)]
    await hotw.keep("philosophy", *(snapshot(one, philosophy_body(one, MinHosts=400)) for one in services))
    replicas = [hotw, another(), another()]
    await asyncio.gather(*(check(replica) for replica in replicas))
    assert set(await gaps(hotw)) == set(fleets)
    opened = [message.key for message in (await hotw.published()).taken if message.topic == "hotw.gap.opened"]
    assert sorted(opened) == sorted(f"{EVENT}#{fleet}#Upscaling" for fleet in fleets)


async def test_a_custom_input_that_becomes_narrower_checks_those_it_leaves(hotw: Replica, orders: list[str]) -> None:
    wide = custom_input_body(fleet_id=None, Input={"BufferFactor": 1.2})
    await hotw.keep("custom_input", custom_input(wide))
    assert await gap(hotw) == 20
    narrow = custom_input_body(version=2, fleet_id="Another", Input={"BufferFactor": 1.2})
    await hotw.keep("custom_input", custom_input(narrow))
    assert await gap(hotw) == 0


async def test_open_gaps_are_listed_page_by_page(hotw: Replica) -> None:
    """4.223."""
    fleets = sorted(await many(hotw, 5))
    await hotw.run()
    await hotw.keep("philosophy", snapshot("Service-0", philosophy_body("Service-0", MinHosts=400)))
    await check(hotw)
    first = await hotw.queries.gaps(EVENT, after=None, limit=3)
    rest = await hotw.queries.gaps(EVENT, after=first.next_after, limit=3)
    assert [item["FleetId"] for item in (*first.items, *rest.items)] == fleets
    assert first.items[0] == {
        "ServiceId": "Service-0",
        "FleetId": fleets[0],
        "Gap": 13,
        "Since": "2024-06-15T09:00:00.000Z",
    }
    assert rest.next_after is None


async def test_the_daily_series_shows_each_day_as_it_ended(hotw: Replica, orders: list[str], clock: FixedClock) -> None:
    """4.224."""
    values = {
        one["FulfillmentId"]: one["FulfillmentValue"] for one in (await hotw.executions())[0]["FulfillmentDetails"]
    }
    first, second, third = orders
    clock.set("2024-06-16T23:00:00Z")
    await hotw.review(first, "Approve")
    await hotw.review(second, "Reject", Reason="no")
    await check(hotw)
    clock.set("2024-06-18T10:00:00Z")
    await hotw.deliver(first, 5)
    page = await hotw.queries.series(EVENT, FLEET, clock.now())
    shown = [tuple(item.values()) for item in page.items]
    kept = values[first] + values[third]
    assert shown == [
        ("2024-06-15", 220, 70, 0, 0, 0),
        ("2024-06-16", 220, kept, values[first], 0, values[second]),
        ("2024-06-17", 220, kept, values[first], 0, values[second]),
        ("2024-06-18", 220, kept, values[first], 5, values[second]),
    ]

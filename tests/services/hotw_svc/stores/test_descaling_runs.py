"""Descaling runs on the stores: the rows they write, their dashboard, their facts, and what becomes of both (7.12)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from services.hotw_svc.adapters import tables as t
from shared.errors import Conflict
from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    Replica,
    bau_body,
    counted,
    event_body,
    fleet_body,
    projection_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow

AFTER = "2024-07-20T09:00:00Z"


async def line(hotw: Replica, purpose: Purpose = Purpose.DESCALING) -> dict[str, Any]:
    """The fleet's row of a dashboard."""
    services = (await hotw.queries.dashboard(EVENT, purpose)).items
    return next(fleet for service in services for fleet in service["Fleets"] if fleet["FleetId"] == FLEET)


async def statuses(hotw: Replica) -> dict[tuple[int, str], list[str]]:
    """By run and purpose, the states of the overrides, in name order."""
    table = t.capacity_override_details
    found: dict[tuple[int, str], list[str]] = {}
    async with hotw.database.read() as connection:
        for row in await connection.execute(select(table).order_by(table.c.RunId, table.c.AutoScalingGroupName)):
            found.setdefault((row.RunId, row.Purpose), []).append(row.OverrideStatus)
    return found


async def test_a_descaling_run_lowers_the_asgs_and_orders_nothing(hotw: Replica) -> None:
    """7.12.3a, 7.12.14 to 7.12.16; before the peak has ended there are dry runs only."""
    await hotw.settle_in()
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=20_000)))
    order = (await hotw.execute())["FulfillmentDetails"][0]["FulfillmentId"]
    await hotw.review(order, "Approve")
    with pytest.raises(Conflict, match="until then descaling has only dry runs"):
        await hotw.start(Purpose="Descaling")
    dry = await hotw.execute(Purpose="Descaling", DryRun=True)
    assert (dry["CapacityOverrideSum"], dry["CapacityOverrideDetails"]) == (62, [])
    assert (await line(hotw))["StatusReasoning"] == "HOTW has not run the descaling of this fleet yet"
    upscaling = await line(hotw, Purpose.UPSCALING)

    hotw.clock.set("2024-07-18T09:00:00Z")
    await hotw.sweep()
    raised = await hotw.execute(Purpose="Descaling")
    assert raised["Status"] == "Fail"
    assert "A started override is on the fleet until 2024-07-19 00:00 UTC" in raised["Reasoning"]
    assert ((await line(hotw))["StatusReasoning"], (await line(hotw))["ActionPendingOn"]) == (
        raised["Reasoning"],
        "EPIC",
    )

    hotw.clock.set(AFTER)
    await hotw.sweep()
    run = await hotw.run(Purpose="Descaling")
    assert (run["Purpose"], run["ByStatus"], run["OrderedHosts"]) == ("Descaling", {"Success": 1}, 0)
    execution = (await hotw.executions())[0]
    assert (execution["Purpose"], execution["Needed"], execution["RequiredHosts"]) == ("Descaling", 88, 88)
    assert (execution["CapacityOverrideSum"], execution["DesiredCapacity"], execution["PeakTPM"]) == (62, 88, 20_000)
    rows = execution["CapacityOverrideDetails"]
    assert [row["OverrideValue"] for row in rows] == [29, 29, 30] == [row["OverrideExpiryValue"] for row in rows]
    assert {(row["BaseCapacity"], row["PlaceOrderIfRequired"], row["StartTime"]) for row in rows} == {
        (50, False, "2024-07-20T09:00:00.000Z")
    }
    assert execution["FulfillmentDetails"] == []
    board = await line(hotw)
    assert (board["CapacityOverrideSum"], board["OrderedHosts"]) == (62, 0)
    assert (board["StatusReasoning"], board["ActionPendingOn"]) == ("62 hosts to descale", None)
    assert board["LatestExecution"]["RunId"] == run["RunId"]
    latest = (await hotw.queries.asgs(FLEET)).items
    assert [asg["EAPEnableStatus"] for asg in latest] == [True, False, False]
    assert (await line(hotw, Purpose.UPSCALING))["LatestExecution"] == upscaling["LatestExecution"]


async def test_its_overrides_start_expire_and_are_superseded_with_facts_of_their_own(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=20_000)))
    hotw.clock.set(AFTER)
    first = (await hotw.run(Purpose="Descaling"))["RunId"]
    assert await statuses(hotw) == {(first, "Descaling"): ["Approved"] * 3}
    await hotw.sweep()
    assert await statuses(hotw) == {(first, "Descaling"): ["Started"] * 3}
    assert await hotw.sweep() == 0
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(version=2, BAUTPM=25_000)))
    second = (await hotw.run(Purpose="Descaling"))["RunId"]
    hotw.clock.set("2024-08-03T09:00:00Z")
    await hotw.sweep()
    assert await statuses(hotw) == {(first, "Descaling"): ["Superseded"] * 3, (second, "Descaling"): ["Expired"] * 3}
    published = await hotw.published()
    about = [(m.topic, m.body()["OrdersVersionId"]) for m in published.taken if m.key == f"{EVENT}#{FLEET}#Descaling"]
    assert about == [
        ("hotw.execution.completed", 1),
        ("hotw.override.started", 2),
        ("hotw.execution.completed", 3),
        ("hotw.override.expired", 4),
    ]
    executed = published.facts("hotw.execution.completed")[-1]
    assert (executed["Purpose"], executed["Orders"]) == ("Descaling", [])
    assert (executed["Execution"]["RequiredHosts"], executed["Execution"]["BAUTPM"]) == (110, 25_000)
    assert await counted(hotw, t.fulfillment_details) == 0


async def test_a_peak_that_moves_on_cancels_what_was_lowered(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=20_000)))
    hotw.clock.set(AFTER)
    run = (await hotw.run(Purpose="Descaling"))["RunId"]
    await hotw.keep("event", snapshot(EVENT, event_body(3, PeakEndDate="2024-07-20")))
    assert await statuses(hotw) == {(run, "Descaling"): ["Cancelled"] * 3}


async def test_each_fleet_of_a_descaling_run_fails_alone(hotw: Replica) -> None:
    """7.12.8, and a fleet outside the event; the dashboard has each."""
    await hotw.settle_in()
    await hotw.keep("service", snapshot("Other", service_body("Other", ServiceType="Onboarding")))
    for name, service in (("F-unknown", "FORTRESSService"), ("F-other", "Other")):
        await hotw.keep("fleet", snapshot(name, fleet_body(name, service)))
        await hotw.keep("projection", snapshot(f"{name}#{EVENT}#Peak", projection_body(name)))
    await hotw.keep("bau_traffic", snapshot(FLEET, bau_body(BAUTPM=200_000)))
    hotw.clock.set(AFTER)
    run = await hotw.run(Purpose="Descaling", FleetIds=[FLEET, "F-unknown", "F-other"])
    assert run["ByStatus"] == {"Fail": 2, "Success": 1}
    assert "No BAUTPM" in (await hotw.executions("F-unknown"))[0]["Reasoning"]
    assert "not Registered" in (await hotw.executions("F-other"))[0]["Reasoning"]
    board = await line(hotw)
    assert (board["CapacityOverrideSum"], board["StatusReasoning"]) == (0, "Nothing to descale")

"""What the readiness dashboard answers: rows, filters, pages, totals, order and the report."""

from __future__ import annotations

from typing import Any

import pytest

from services.eventplan_svc.app.show_dashboard import Place
from shared.errors import BadInput, NotFound, Unavailable
from shared.schemas.eventplan_views import ReadinessReport
from tests.support.clock import FixedClock
from tests.support.dashboards import LEAVES, REGIONS, SERVICES, asked, fleets
from tests.support.eventplan_processes import Process
from tests.support.snapshots import event, hardware, order, organization, projection, service

pytestmark = pytest.mark.slow


async def test_a_service_shows_its_fleets_with_what_they_wait_for(dashboard: Process) -> None:
    await dashboard.take(projection("Atlas-us-east-1", upstream=False))
    page = await asked(dashboard)
    assert [entry["ServiceId"] for entry in page["Services"]] == list(SERVICES)
    atlas = page["Services"][0]
    assert {name: atlas[name] for name in ("Owner", "LeaderAlias", "PeakReadyStatus")} == {
        "Owner": "Atlas-owner",
        "LeaderAlias": "jsmith",
        "PeakReadyStatus": "Red",
    }
    assert atlas["Fleets"][1] == {
        "FleetId": "Atlas-us-east-1",
        "Region": "us-east-1",
        "PeakReadyStatus": "Red",
        "EventMilestone": "GatherProjectionFromUpstream",
        "ETA": "2024-06-01",
        "StatusReasoning": "Not verified yet by OrderService",
        "ActionPendingOn": "Atlas-owner",
        "HostsMissing": 0,
        "OrderByDate": "2024-07-02",
    }
    assert page["Totals"]["Fleets"] == 6
    assert page["Totals"]["ByMilestone"]["GatherProjectionFromUpstream"] == {
        "NotStarted": 5,
        "PendingOnServiceOwner": 1,
    }


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"ServiceIds": ["Comet", "Nobody"]}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"ServiceIds": []}, []),
        ({"Owner": "Atlas-owner"}, ["Atlas-eu-west-1", "Atlas-us-east-1"]),
        ({"LeaderAlias": "boss"}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"Region": "eu-west-1"}, [f"{name}-eu-west-1" for name in SERVICES]),
        ({"Colour": "Green"}, ["Borealis-us-east-1"]),
        ({"Colour": "Green", "Region": "eu-west-1"}, []),
        ({"Colour": "Red", "LeaderAlias": "boss", "Region": "us-east-1"}, ["Comet-us-east-1"]),
        ({"Organization": "space"}, ["Comet-eu-west-1", "Comet-us-east-1"]),
        ({"Organization": "sky", "Region": "eu-west-1"}, ["Atlas-eu-west-1", "Comet-eu-west-1"]),
        ({"Organization": "nobody"}, []),
        ({"Search": "COMET-U"}, ["Comet-us-east-1"]),
        ({"Search": "s-OWN"}, [f"{name}-{region}" for name in ("Atlas", "Borealis") for region in sorted(REGIONS)]),
        ({"Search": "bOSs", "Region": "us-east-1"}, ["Comet-us-east-1"]),
        ({"Search": "us-east"}, [f"{name}-us-east-1" for name in SERVICES]),
    ],
)
async def test_filters_choose_rows_and_leave_the_totals_of_the_event(
    dashboard: Process, filters: dict[str, Any], shown: list[str]
) -> None:
    for name in LEAVES:
        await dashboard.status(name, "Completed", "Borealis-us-east-1")
    page = await asked(dashboard, filters)
    assert fleets(page) == shown
    assert page["Totals"]["Fleets"] == (6 if "ServiceIds" not in filters else len(shown))


async def test_a_services_colour_is_that_of_all_its_plans_whatever_rows_are_asked_for(dashboard: Process) -> None:
    for name in LEAVES:
        await dashboard.status(name, "Completed", "Borealis-us-east-1")
    [entry] = (await asked(dashboard, {"Colour": "Green"}))["Services"]
    assert (entry["PeakReadyStatus"], len(entry["Fleets"])) == ("Red", 1)


async def test_pages_go_service_by_service(dashboard: Process) -> None:
    first = await asked(dashboard, {"Limit": 2})
    assert [entry["ServiceId"] for entry in first["Services"]] == ["Atlas", "Borealis"]
    second = await asked(dashboard, {"Limit": 2}, first["After"])
    assert [entry["ServiceId"] for entry in second["Services"]] == ["Comet"]
    assert second["After"] is None


async def test_closed_plans_stand_outside_rows_and_totals(dashboard: Process) -> None:
    await dashboard.take(service("Atlas", 2, deleted=True))
    page = await asked(dashboard)
    assert [entry["ServiceId"] for entry in page["Services"]] == ["Borealis", "Comet"]
    assert page["Totals"]["Fleets"] == 4
    await dashboard.take(service("Atlas", 3))
    assert (await asked(dashboard))["Totals"]["Fleets"] == 6


async def test_colours_follow_the_day_without_a_write(dashboard: Process, clock: FixedClock) -> None:
    for name in LEAVES:
        await dashboard.status(name, "InProgress", "Comet-us-east-1")
    assert (await asked(dashboard))["Totals"]["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 5}
    clock.set("2024-06-02T00:00:00Z")
    page = await asked(dashboard)
    assert page["Totals"]["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 6}
    assert page["Services"][2]["Fleets"][1]["PeakReadyStatus"] == "Red"


@pytest.mark.parametrize("event_id", ["Never", "Gone"])
async def test_the_dashboard_of_an_event_that_is_not_there_is_not_found(dashboard: Process, event_id: str) -> None:
    await dashboard.take(event("Gone", 2, deleted=True))
    with pytest.raises(NotFound):
        await dashboard.dashboard(event_id)


async def test_a_view_that_is_not_complete_answers_later(dashboard: Process) -> None:
    dashboard.wiring.view.complete.clear()
    with pytest.raises(Unavailable):
        await asked(dashboard)


async def test_a_moved_organization_moves_the_counts_of_its_subtree_once(
    dashboard: Process,
) -> None:
    totals = (await asked(dashboard))["Totals"]
    assert {name: one["Fleets"] for name, one in totals["ByOrganization"].items()} == {"sky": 4, "space": 2}
    moved = organization("space", 2, services=["Comet"])
    await dashboard.take(moved, moved)
    await dashboard.take(organization("space", below="sky", services=["Comet"]), moved)
    totals = (await asked(dashboard))["Totals"]
    assert {name: one["Fleets"] for name, one in totals["ByOrganization"].items()} == {"sky": 2, "space": 2}


async def test_a_changed_leader_moves_the_counts_of_the_service_once(dashboard: Process) -> None:
    for _ in range(2):
        await dashboard.take(service("Atlas", 2, LeaderAlias="boss"))
        totals = (await asked(dashboard))["Totals"]
        assert {name: one["Fleets"] for name, one in totals["ByLeader"].items()} == {"boss": 4, "jsmith": 2}


async def test_hosts_missing_are_what_live_orders_owe_and_the_gap_6_6_10(
    dashboard: Process,
) -> None:
    topic, body = hardware("order.placed", 1, order(1), order(2, "Rejected"), fleet_id="Comet-us-east-1")
    body["Execution"]["Shortfall"] = 5
    await dashboard.take((topic, body))

    async def missing() -> int:
        [comet] = (await asked(dashboard, {"ServiceIds": ["Comet"], "Region": "us-east-1"}))["Services"]
        return int(comet["Fleets"][0]["HostsMissing"])

    assert await missing() == 20 + 5
    assert (await dashboard.plan("Comet-us-east-1"))["HostsMissing"] == 25, "so that every version of a plan has it"
    await dashboard.take((topic, {**body, "OrdersVersionId": 2, "Gap": 7}))
    assert await missing() == 20 + 7
    done = {**body["Orders"][0], "FulfillmentStatus": "Fulfilled", "FulfilledHosts": 20}
    settled = {**body, "OrdersVersionId": 3, "Orders": [done], "Execution": {**body["Execution"], "Shortfall": 0}}
    await dashboard.take(("hotw.fulfillment.updated", settled))
    assert await missing() == 0
    assert "HostsMissing" not in await dashboard.plan("Comet-us-east-1")


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_sorted_dashboard_shows_every_service_once_while_plans_change(dashboard: Process, limit: int) -> None:
    """Between the pages the best becomes the worst and the worst the best."""
    for name in LEAVES:
        await dashboard.status(name, "InProgress", "Comet-us-east-1")
        await dashboard.status(name, "InProgress", "Comet-eu-west-1")
    seen: list[str] = []
    after: Place | None = None
    for turn in range(4):
        page = await asked(dashboard, {"Sort": "Colour", "Limit": limit}, after)
        seen += [entry["ServiceId"] for entry in page["Services"]]
        after = page["After"]
        if after is None:
            break
        for region in REGIONS:
            for name in LEAVES:
                await dashboard.status(name, "Blocked" if turn % 2 else "InProgress", f"Atlas-{region}")
                await dashboard.status(name, "InProgress" if turn % 2 else "Blocked", f"Comet-{region}")
    assert seen[0] == "Atlas"
    assert sorted(seen) == list(SERVICES)


async def test_a_cursor_of_another_order_is_refused(dashboard: Process) -> None:
    page = await asked(dashboard, {"Sort": "Colour", "Limit": 1})
    for body, after in (({"Sort": "ETA"}, page["After"]), ({}, page["After"]), ({"Sort": "ETA"}, "Atlas")):
        with pytest.raises(BadInput, match="Cursor"):
            await asked(dashboard, body, after)


async def test_the_report_has_the_worst_first_and_what_is_awaited_from_whom(
    dashboard: Process,
) -> None:
    for region in REGIONS:
        for name in LEAVES:
            await dashboard.status(name, "Completed", f"Atlas-{region}")
            await dashboard.status(name, "Completed" if name == LEAVES[0] else "InProgress", f"Comet-{region}")
    await dashboard.take(projection("Borealis-us-east-1", upstream=False))
    report = (await dashboard.wiring.present("PD2024")).report()
    assert [(one["LeaderAlias"], one["PeakReadyStatus"], one["Fleets"]) for one in report["Leaders"]] == [
        ("jsmith", "Red", 4),
        ("boss", "Yellow", 2),
    ]
    borealis, atlas = report["Leaders"][0]["Services"]
    assert (atlas["ServiceId"], atlas["Awaited"]) == ("Atlas", [])
    assert borealis["Awaited"] == [
        {
            "ActionPendingOn": "Borealis-owner",
            "EventMilestone": "GatherProjectionFromUpstream",
            "StatusReasoning": reason,
            "ETA": "2024-06-01",
            "FleetIds": [f"Borealis-{region}"],
        }
        for reason, region in ((None, "eu-west-1"), ("Not verified yet by OrderService", "us-east-1"))
    ]
    [comet] = report["Leaders"][1]["Services"]
    assert [(one["ActionPendingOn"], len(one["FleetIds"])) for one in comet["Awaited"]] == [("EPIC", 2)]
    assert report["Totals"] == (await asked(dashboard))["Totals"]
    ReadinessReport.model_validate(report)


# -- the cost ------------------------------------------------------------------------------------------------------

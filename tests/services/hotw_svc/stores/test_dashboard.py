"""Rules 7.17.1 to 7.17.16: who has a row on the HOTW dashboard, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from services.hotw_svc.adapters.inputs.read_models import plan_state
from shared.errors import NotFound
from shared.schemas.eventplan_svc import EventPlanSnapshot
from shared.schemas.hotw_svc import Purpose
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    SERVICE,
    Replica,
    event_body,
    fleet_body,
    plan_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow

OWNER = "fortress-owner@amazon.com"
ORDERED: dict[str, Any] = {
    "PlaceHardwareOrder": ("Completed", "50 hosts ordered via HOTW"),
    "HardwareOrderApproval": ("PendingOnEPIC", "0 of 3 approved"),
}


async def keep_plan(hotw: Replica, fleet_id: str = FLEET, version: int = 8, **milestones: tuple[str, str]) -> None:
    """Takes in a plan as its event does."""
    plan = EventPlanSnapshot.model_validate(plan_body(fleet_id, version, **milestones))
    await hotw.keep("plan", (f"{EVENT}#{fleet_id}", version, dict(plan_state(plan))))


async def board(hotw: Replica, purpose: Purpose = Purpose.UPSCALING, **query: Any) -> list[dict[str, Any]]:
    return (await hotw.queries.dashboard(EVENT, purpose, **query)).items


async def row(hotw: Replica, fleet_id: str = FLEET) -> dict[str, Any]:
    return next(fleet for service in await board(hotw) for fleet in service["Fleets"] if fleet["FleetId"] == fleet_id)


async def rows(hotw: Replica, **query: Any) -> dict[str, list[str]]:
    """The FleetIds of each service's rows, in the order of the answer."""
    return {
        service["ServiceId"]: [one["FleetId"] for one in service["Fleets"]] for service in await board(hotw, **query)
    }


async def test_a_fleet_that_never_ran_has_a_row_without_numbers_7_17_6(hotw: Replica) -> None:
    await hotw.settle_in()
    assert await row(hotw) == {
        "FleetId": FLEET,
        "Region": "us-east-1",
        "CapacityOverrideSum": 0,
        "OrderedHosts": 0,
        "ApprovedHosts": 0,
        "FulfilledHosts": 0,
        "Gap": 0,
        "StatusReasoning": "HOTW has not run for this fleet yet",
        "ActionPendingOn": "EPIC",
        "LatestExecution": None,
    }
    assert (await board(hotw, Purpose.DESCALING))[0]["Fleets"][0]["LatestExecution"] is None


async def test_the_event_s_fleets_have_rows_by_service_and_others_have_none_7_17_5(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("service", snapshot("Another", service_body("Another", LeaderAlias="else", Owner="me")))
    await hotw.keep("service", snapshot("Onboarding", service_body("Onboarding", ServiceType="Onboarding")))
    await hotw.keep("service", snapshot("Gone", service_body("Gone"), deleted=True))
    await hotw.keep(
        "fleet",
        *(snapshot(f"F-{name}", fleet_body(f"F-{name}", name)) for name in ("Onboarding", "Gone", "Unknown")),
        snapshot("A-2", fleet_body("A-2", "Another")),
        snapshot("A-1", fleet_body("A-1", "Another")),
        snapshot("Far", fleet_body("Far", configuration={"Region": "ap-south-1"})),
        snapshot("Deleted", fleet_body("Deleted"), deleted=True),
    )
    assert list((await rows(hotw)).items()) == [("Another", ["A-1", "A-2"]), (SERVICE, [FLEET])]
    assert await rows(hotw, leader_alias="else") == {"Another": ["A-1", "A-2"]}
    assert await rows(hotw, owner=OWNER) == {SERVICE: [FLEET]}
    first = await hotw.queries.dashboard(EVENT, Purpose.UPSCALING, limit=1)
    assert ([service["ServiceId"] for service in first.items], first.next_after) == (["Another"], "Another")
    assert list(await rows(hotw, after="Another", limit=1)) == [SERVICE]


async def test_a_fleet_that_left_the_event_has_a_row_only_while_orders_are_live(hotw: Replica) -> None:
    await hotw.settle_in()
    orders = [order["FulfillmentId"] for order in (await hotw.execute())["FulfillmentDetails"]]
    await hotw.review(orders[0], "Approve")
    await hotw.keep("service", snapshot(SERVICE, service_body(version=4, ServiceType="Onboarding")))
    assert (await row(hotw))["ApprovedHosts"] == 20
    assert await board(hotw, Purpose.DESCALING) == []
    for order in orders:
        await hotw.review(order, "Cancel")
    assert await board(hotw) == []


async def test_the_numbers_are_those_of_the_orders_and_the_latest_execution_7_17_8(hotw: Replica) -> None:
    await hotw.settle_in()
    execution = await hotw.execute()
    orders = [order["FulfillmentId"] for order in execution["FulfillmentDetails"]]
    await hotw.review(orders[0], "Approve")
    await hotw.deliver(orders[0], 5)
    fleet = await row(hotw)
    assert [fleet[name] for name in ("CapacityOverrideSum", "OrderedHosts", "ApprovedHosts", "FulfilledHosts")] == [
        50,
        50,
        20,
        5,
    ]
    assert fleet["LatestExecution"].items() <= execution.items()
    assert (fleet["StatusReasoning"], fleet["ActionPendingOn"]) == ("1 of 3 orders approved", "AWS")


async def test_a_plan_s_own_status_is_shown_and_a_person_s_word_as_it_stands_7_17_15(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.execute()
    await keep_plan(hotw, **ORDERED)
    fleet = await row(hotw)
    assert (fleet["StatusReasoning"], fleet["ActionPendingOn"]) == ("0 of 3 approved", "AWS")
    await keep_plan(hotw, version=9, PlaceHardwareOrder=("PendingOnServiceOwner", "Blocked: finance says no"))
    fleet = await row(hotw)
    assert (fleet["StatusReasoning"], fleet["ActionPendingOn"]) == ("Blocked: finance says no", OWNER)


async def test_an_older_version_of_a_plan_never_shows_again(hotw: Replica) -> None:
    await hotw.settle_in()
    await keep_plan(hotw, version=9, **ORDERED)
    await keep_plan(hotw, version=8, PlaceHardwareOrder=("Blocked", "long ago"))
    assert (await row(hotw))["StatusReasoning"] == "0 of 3 approved"


async def test_a_plan_of_another_fleet_or_event_is_not_taken_for_this_one_s(hotw: Replica) -> None:
    await hotw.settle_in()
    await keep_plan(hotw, "Other", **ORDERED)
    plan = EventPlanSnapshot.model_validate(plan_body(**ORDERED))
    await hotw.keep("plan", (f"BF2024#{FLEET}", 8, dict(plan_state(plan))))
    assert (await row(hotw))["StatusReasoning"] == "HOTW has not run for this fleet yet"


async def test_the_dashboard_of_an_unknown_or_deleted_event_is_not_found_4_19(hotw: Replica) -> None:
    await hotw.settle_in()
    await hotw.keep("event", snapshot(EVENT, event_body(3), deleted=True))
    for event_id in (EVENT, "Nope"):
        with pytest.raises(NotFound):
            await hotw.queries.dashboard(event_id, Purpose.UPSCALING)

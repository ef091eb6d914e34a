"""An Event of a profile: its plans, its calendar and HOTW's computation go by what it took, and follow its changes."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from tests.support import reference
from tests.support.scenario import PLAN, Caller, milestone
from tests.support.stacks import Embedded
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FLEET_ID = "FORTRESSService-NA-X0"
PROFILE = {
    "EventProfileId": "PrimeDay",
    "Name": "Prime Day",
    "RegionList": ["us-east-1"],
    "Milestones": [{"EventMilestoneId": "HardwareOrder", "DaysBeforePeak": 40}],
    "DefaultBufferPercentage": 15,
    "EmergentDaysBeforePeak": 10,
}


def without_a_buffer() -> dict[str, Any]:
    """The reference's fleet without a buffer of its own, and without the bound that would hide the Event's."""
    fleet = copy.deepcopy(reference.FLEET)
    del fleet["FleetConfiguration"]["BufferPercentage"], fleet["FleetConfiguration"]["MaxHostCount"]
    return fleet


async def test_an_event_of_a_profile_is_planned_by_what_it_took(embedded: Embedded, http: httpx.AsyncClient) -> None:
    """4.461 to 4.465, 6.1.7, 6.5.1."""
    caller = Caller(embedded, http)
    dates = ("EventId", "EventName", "PeakStartDate", "PeakEndDate")
    event = {name: reference.EVENT[name] for name in dates}
    await caller.call("POST", "/eventprofile", PROFILE)
    await caller.call("POST", "/event", {**event, "EventProfileId": "PrimeDay"})
    await caller.call("DELETE", "/eventprofile/PrimeDay")
    await caller.call("POST", "/service", reference.SERVICE)
    await caller.call("POST", "/fleet", without_a_buffer())
    await caller.call("PUT", f"/fleet/{FLEET_ID}/inventory", reference.INVENTORY)
    await caller.call("POST", "/projection", reference.PROJECTION)

    plan = await caller.gathered_plan()
    assert milestone(plan, "HardwareOrder")["ETA"] == "2024-06-06"
    assert milestone(plan, "UpdateThrottlingInSDC")["ETA"] == "2024-07-09"
    shown = await caller.call("GET", "/calendar?EventId=PD2024&From=2024-06-06&To=2024-06-06")
    assert [item["CalendarId"] for item in shown["Items"]] == ["PD2024#HardwareOrder"]
    emergent = await caller.call("GET", "/calendar/PD2024%23Emergent")
    assert emergent["Start"] == "2024-07-06"

    await caller.known_to_hotw("PD2024", FLEET_ID)
    await caller.run("PD2024")
    [execution] = (await caller.call("GET", f"/hotw/executionDetail/PD2024/{FLEET_ID}"))["Items"]
    assert (execution["BufferFactor"], execution["RequiredHosts"]) == (1.15, 230)

    days = [{"EventMilestoneId": "UpdateThrottlingInSDC", "DaysBeforePeak": 5}]
    await caller.call("PUT", "/event/PD2024", {"Milestones": days})
    moved = await eventually(
        lambda: caller.call("GET", PLAN),
        lambda plan: milestone(plan, "UpdateThrottlingInSDC")["ETA"] == "2024-07-11",
        "the plan follows the days of its Event",
    )
    assert milestone(moved, "HardwareOrder")["ETA"] == "2024-06-16", "the default again"

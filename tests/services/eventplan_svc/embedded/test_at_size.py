"""2,000 services of 10 fleets: one event, exactly 20,000 plans; then a projection of each."""

from __future__ import annotations

import time
from functools import partial

import pytest

from shared.schemas.eventplan_svc import EventPlanSnapshot
from tests.support.eventplan_processes import EventPlans, dashboard
from tests.support.snapshots import event, fleet, projection, service
from tests.support.waiting import eventually

pytestmark = [pytest.mark.embedded, pytest.mark.slow, pytest.mark.timeout(3000)]

SERVICES = [f"Service{number:05d}" for number in range(2_000)]
FLEETS = [f"{name}-NA-X{number}" for name in SERVICES for number in range(10)]


async def ended(stack: EventPlans, topic: str) -> int:
    return sum((await stack.transport.end_offsets(topic)).values())


async def test_one_event_makes_20000_plans_and_20000_projections_are_settled(stack: EventPlans) -> None:
    replica = await stack.replica()
    await stack.say(*map(service, SERVICES), *(fleet(name, of=name.partition("-")[0]) for name in FLEETS))
    await stack.settled(seconds=600)
    began = time.monotonic()
    await stack.say(event())
    await eventually(
        lambda: ended(stack, "eventplan.created"), lambda count: count >= 20_000, "20,000 plans published", seconds=600
    )
    planned = time.monotonic()
    page = await eventually(
        partial(dashboard, replica),
        lambda page: page and page["Totals"]["Fleets"] == 20_000,
        "20,000 plans in the view",
    )
    assert page["Totals"]["ByColour"] == {"Green": 0, "Yellow": 0, "Red": 20_000}

    projecting = time.monotonic()
    await stack.say(*map(projection, FLEETS))
    await eventually(
        lambda: ended(stack, "eventplan.updated"),
        lambda count: count >= 20_000,
        "20,000 changes published",
        seconds=600,
    )
    settled = time.monotonic()
    await stack.settled(seconds=600)
    page = await dashboard(replica, Limit=1)
    assert page["Totals"]["ByMilestone"]["GatherProjectionFromUpstream"] == {"Completed": 20_000}

    created = await stack.published("eventplan.created")
    assert sorted(message.key for message in created) == sorted(f"PD2024#{name}" for name in FLEETS)
    assert len(await stack.published("eventplan.updated")) == 20_000
    EventPlanSnapshot.model_validate(created[0].body())
    asked = time.monotonic()
    await dashboard(replica)
    print(
        f"plans {planned - began:.1f} s, projections {settled - projecting:.1f} s, "
        f"a page of the dashboard {1000 * (time.monotonic() - asked):.0f} ms"
    )

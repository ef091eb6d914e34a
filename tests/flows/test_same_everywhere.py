"""The worked example leaves the same documents in every set-up, byte for byte but for assigned ids and times."""

from __future__ import annotations

import os

import httpx
import pytest

from tests.flows.documents import EXPECTED, read_all
from tests.flows.scenario import Caller
from tests.flows.systems import System, eventually

pytestmark = [pytest.mark.slow]


async def worked_example(caller: Caller) -> str:
    """Plays the worked example to its last delivery, and reads everything once it has settled."""
    await caller.post_reference()
    await caller.gathered_plan()
    await caller.known_to_hotw("PD2024", "FORTRESSService-NA-X0")
    await caller.run("PD2024")
    await caller.plan_when("HardwareOrderApproval", "PendingOnEPIC")
    orders = await caller.approve_all("PD2024")
    await caller.plan_when("HardwareOrderApproval", "Completed")
    for left, order in reversed(list(enumerate(reversed(orders)))):
        await caller.deliver(order)
        if left:  # each step is awaited, so that the plan's last version is made by the same step everywhere
            await caller.plan_when("HardwareFulfillment", "InProgress", f"{left} of {len(orders)} orders pending")
    await caller.plan_when("HardwareFulfillment", "Completed")
    await eventually(
        "the fleet shows the delivery",
        lambda: caller.call("GET", "/fleet/FORTRESSService-NA-X0"),
        lambda fleet: fleet["HostOrderStatuses"][0].get("HostsFulfilled", {}).get("us-east-1c") == 10,
    )
    await eventually(
        "the dashboard shows the delivery",
        lambda: caller.call("PUT", "/event/PD2024/dashboard", {}),
        lambda page: page["Totals"]["ByMilestone"]["HardwareFulfillment"].get("Completed") == 1,
    )
    return await read_all(caller)


async def test_the_worked_example_leaves_the_same_documents(system: System, http: httpx.AsyncClient) -> None:
    seen = await worked_example(Caller(system, http))
    if os.environ.get("WRITE_EXPECTED"):
        EXPECTED.write_text(seen)
    assert seen == EXPECTED.read_text()

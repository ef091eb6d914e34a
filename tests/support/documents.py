"""What is compared between set-ups: every document of the worked example as read, ids and times made alike."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.scenario import PLAN, Caller, orders_of
from tests.support.waiting import eventually

EXPECTED = Path(__file__).parent / "expected.json"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ORDER = re.compile(r"F\d+-\d+-(\d+)")
_SPCO = re.compile(r"SPCO-\d+")
_ASSIGNED = {"RunId", "ExecutionId", "LatestExecutionId", "FleetIndexId", "OrdersVersionId"}
_COUNTED = {"VersionId", "LatestVersionId"}  # a plan's: how many facts one write takes in is a matter of timing
_PAGES = (
    "/service/FORTRESSService",
    "/fleet/FORTRESSService-NA-X0",
    "/fleet/FORTRESSService-NA-X0/PD2024",
    "/event/PD2024",
    "/projection/FORTRESSService-NA-X0/PD2024",
    PLAN,
    "/eventplan?EventId=PD2024",
    "/hotw/executionDetail/PD2024/FORTRESSService-NA-X0",
    "/hotw/asgDetail/FORTRESSService-NA-X0",
    "/hotw/order?EventId=PD2024",
    "/hotw/dashboard/PD2024/Upscaling",
    "/hotw/inputs/PD2024",
)


def normalised(value: Any, assigned: set[str], name: str = "") -> Any:
    """The value with what is assigned or dated by the run replaced by what it is."""
    if isinstance(value, dict):
        return {key: normalised(item, assigned, key) for key, item in value.items()}
    if isinstance(value, list):
        return [normalised(item, assigned, name) for item in value]
    if name in assigned and value is not None:
        return f"<{name}>"
    if isinstance(value, str):
        value = _ORDER.sub(r"<order \1>", value)
        value = _SPCO.sub("SPCO-<id>", value)
        return _INSTANT.sub("<time>", value)
    return value


async def read_all(caller: Caller) -> str:
    """Every document of the worked example as JSON text, in one order."""
    seen = {}
    for path in _PAGES:
        assigned = _ASSIGNED | _COUNTED if path.startswith("/eventplan") else _ASSIGNED
        seen[path] = normalised(await caller.call("GET", path), assigned)
    board = await caller.call("PUT", "/event/PD2024/dashboard", {})
    seen["PUT /event/PD2024/dashboard"] = normalised(board, _ASSIGNED)
    return json.dumps(seen, indent=2, sort_keys=True) + "\n"


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
        lambda: caller.call("GET", "/fleet/FORTRESSService-NA-X0"),
        lambda fleet: orders_of(fleet).get("HostsFulfilled", {}).get("us-east-1c") == 10,
        "the fleet shows the delivery",
    )
    await eventually(
        lambda: caller.call("PUT", "/event/PD2024/dashboard", {}),
        lambda page: page["Totals"]["ByMilestone"]["HardwareFulfillment"].get("Completed") == 1,
        "the dashboard shows the delivery",
    )
    await eventually(
        lambda: caller.call("GET", "/hotw/dashboard/PD2024/Upscaling"),
        lambda page: page["Services"][0]["Fleets"][0]["StatusReasoning"] is None,
        "HOTW's dashboard shows that no hardware milestone is open",
    )
    return await read_all(caller)

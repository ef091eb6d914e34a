"""At size: 2,000 services of ten fleets each, one event: exactly 20,000 plans, executions, and hosts that add up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support import reference
from tests.support.fresh_stacks import AZ_FACTORS, SETTINGS
from tests.support.scenario import Caller
from tests.support.stacks import Embedded, WholeStack, composing, running
from tests.support.waiting import eventually

SERVICES, FLEETS_EACH = 2_000, 10
FLEETS = SERVICES * FLEETS_EACH
pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(3600)]


async def load(stack: WholeStack, file: Path) -> None:
    """`epic load`, as a person runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "epic",
        "load",
        str(file),
        "--url",
        stack.url(""),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-3000:]


@pytest.fixture
async def whole(kind: str, http: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[WholeStack]:
    """EPIC behind one address: embedded, or composed on the real servers."""
    if kind == "embedded":
        embedded = Embedded(tmp_path, environment=dict(SETTINGS))
        async with running(embedded):
            yield embedded
    else:
        with composing(AZ_FACTORS) as composed:
            await composed.ready(http)
            yield composed


async def test_2000_services_of_ten_fleets(whole: WholeStack, http: httpx.AsyncClient, tmp_path: Path) -> None:
    caller = Caller(whole, http)
    sample = tmp_path / "sample.ndjson"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "epic",
            "sample",
            "--services",
            str(SERVICES),
            "--fleets-per-service",
            str(FLEETS_EACH),
            "--seed",
            "7",
            "--event",
            "PD2024",
            "--without-event",
            "--out",
            str(sample),
        ],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    await load(whole, sample)
    await caller.call("POST", "/event", reference.EVENT)

    async def planned() -> int:
        answer = await http.put(whole.url("/event/PD2024/dashboard"), json={"Limit": 1})
        return 0 if answer.status_code == 404 else int(answer.json()["Totals"]["Fleets"])

    await eventually(planned, lambda count: count == FLEETS, "every fleet has its plan", seconds=900)
    plans = await caller.everything("/eventplan?EventId=PD2024")
    assert len({plan["EventPlanId"] for plan in plans}) == len(plans) == FLEETS

    everything = {"Services": SERVICES, "Fleets": FLEETS, "Projections": FLEETS, "Inventories": FLEETS}
    await eventually(
        lambda: caller.peek("/hotw/inputs/PD2024"),
        lambda seen: seen == {"EventId": "PD2024", **everything},
        "HOTW knows every service and fleet, with its projection and inventory",
        seconds=900,
    )
    run = await caller.call("POST", "/hotw/run", {"EventId": "PD2024"})
    run = await eventually(
        lambda: caller.peek(f"/hotw/run/{run['RunId']}"),
        lambda seen: seen["RunStatus"] == "Completed",
        "the run completes",
        seconds=900,
    )
    assert run["Executions"] == FLEETS
    orders = await caller.everything("/hotw/order?EventId=PD2024")
    assert sum(order["FulfillmentValue"] for order in orders) == run["OrderedHosts"] > 0
    lines = [
        fleet
        for service in await caller.everything("/hotw/dashboard/PD2024/Upscaling?", "Services")
        for fleet in service["Fleets"]
    ]
    assert len(lines) == FLEETS
    assert sum(line["CapacityOverrideSum"] for line in lines) == run["OrderedHosts"]

from __future__ import annotations

import io
from typing import Any

import pytest

from epic.api import Api
from epic.failure import CommandFailed
from epic.play.common import until
from epic.play.fleets import print_fleets
from epic.terminal import Terminal
from tests.epic.fake import Asked, FakeEpic


async def test_waiting_ends_when_there_are_enough_and_reports_each_step() -> None:
    counts, steps = iter((0, 2, 2, 5)), []

    async def look() -> int:
        return next(counts)

    await until("plans", look, 4, advance=steps.append)
    assert steps == [2, 2]


async def test_waiting_in_vain_fails_with_the_number_reached() -> None:
    async def look() -> int:
        return 38

    with pytest.raises(CommandFailed) as failure:
        await until("plans of PD2024", look, 40, seconds=0.05)
    assert failure.value.text == "waited 0.05 s for plans of PD2024: 38 of 40 so far; the log says more"
    assert failure.value.exit_code == 1


def fleet(name: str, colour: str, reasoning: str | None, on: str | None) -> dict[str, Any]:
    return {
        "FleetId": name,
        "Region": "us-east-1",
        "PeakReadyStatus": colour,
        "EventMilestone": "HardwareOrder",
        "ETA": "2024-06-16",
        "StatusReasoning": reasoning,
        "ActionPendingOn": on,
    }


async def test_the_table_shows_each_fleet_whole_with_what_it_waits_for() -> None:
    long = "30 of 50 hosts ordered, 20 found no room " * 5

    def answer(asked: Asked) -> tuple[Any, ...]:
        if asked.path.startswith("/hotw/dashboard/PD2024/Upscaling?"):
            latest = {"RequiredHosts": 200, "HostsPresentInApollo": 150, "OrderedHosts": 50}
            line = {"FleetId": "A-NA-X0", "OrderedHosts": 50, "FulfilledHosts": 40, "LatestExecution": latest}
            other = {"FleetId": "C-NA-X0", "OrderedHosts": 0, "FulfilledHosts": 0, "LatestExecution": None}
            return 200, {"Services": [{"ServiceId": "A", "Fleets": [line, other]}], "NextCursor": None}
        if asked.body.get("Cursor"):
            fleets = [fleet("B-NA-X0", "Green", None, None), fleet("B-EU-X0", "Red", None, "owner@example.com")]
            return 200, {"Services": [{"ServiceId": "B", "Fleets": fleets}], "Totals": {}, "NextCursor": None}
        fleets = [fleet("A-NA-X0", "Yellow", long, "EPIC")]
        return 200, {"Services": [{"ServiceId": "A", "Fleets": fleets}], "Totals": {}, "NextCursor": "b"}

    out = io.StringIO()
    async with FakeEpic(answer).running() as epic, Api(epic.url) as api:
        await print_fleets(api, Terminal(out), "PD2024")
    lines = out.getvalue().splitlines()
    assert lines[2].split() == ["Fleet", "Region", "Needed", "Present", "Ordered", "Delivered", "Colour", "Awaited"]
    assert lines[3].split()[:7] == ["A-NA-X0", "us-east-1", "200", "150", "50", "40", "Yellow"]
    assert lines[3].rstrip().endswith(f"EPIC: {long}".rstrip())
    assert lines[4].split() == ["B-EU-X0", "us-east-1", "Red", "owner@example.com:", "HardwareOrder"]
    assert lines[5].split() == ["B-NA-X0", "us-east-1", "Green"]
    assert lines[6] == "3 fleets: 1 green, 1 yellow, 1 red"

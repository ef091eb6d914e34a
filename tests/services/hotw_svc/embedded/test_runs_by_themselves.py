"""Runs as two processes of hotw_svc start and work them: by the schedule before the peak, by a command after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from epic.configuration import load_settings
from services.hotw_svc import bootstrap
from shared.schemas.fleet_svc.traffic import BAU_CHANGED
from shared.settings import Settings
from tests.support.goldens import golden
from tests.support.hotw_stack import COMPANY, Hotw
from tests.support.hotw_store import AZ_FACTORS, EVENT, FLEET
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(bootstrap, "_SCHEDULE_EVERY", 0.05)
    return load_settings({"EPIC_HOTW_SCHEDULE": "0 21 15,20 6 *"}, data_dir=tmp_path, az_factor_map=AZ_FACTORS)


async def test_two_processes_start_each_slot_once_and_descale_after_the_peak(stack: Hotw) -> None:
    """7.0.8, 7.12.3, 7.12.4. No slot comes before every input is known."""
    replicas = [await stack.replica(), await stack.replica()]
    await stack.send(golden(BAU_CHANGED, BAU_CHANGED))
    await stack.company()
    await eventually(
        lambda: replicas[0].get(f"/hotw/inputs/{EVENT}/{FLEET}"),
        lambda held: held and all(held[name] for name in (*COMPANY, "BAUTPM")),
        "every input is known",
    )

    async def runs(count: int) -> list[dict[str, Any]]:
        """The runs, newest first, once there are so many and all are Completed."""
        page = await eventually(
            lambda: replicas[1].get("/hotw/run"),
            lambda page: len(page["Items"]) >= count and {run["RunStatus"] for run in page["Items"]} == {"Completed"},
            f"{count} runs are completed",
        )
        return list(page["Items"])

    for count, slot in ((1, "2024-06-15T21:00:00Z"), (2, "2024-06-20T21:00:00Z")):
        stack.clock.set(slot)
        assert [run["User"] for run in await runs(count)] == ["auto"] * count
    early = await stack.ask("hotw.commands", "StartRun", {"EventId": EVENT, "Purpose": "Descaling"})
    assert early.problem is not None
    assert (early.problem["status"], early.problem["type"]) == (409, "urn:epic:problem:peak-not-over")
    stack.clock.set("2024-07-20T21:00:00Z")
    descaled = await stack.ask("hotw.commands", "StartRun", {"EventId": EVENT, "Purpose": "Descaling"}, user="jsmith")
    newest, *scheduled = await runs(3)
    assert (str(newest["RunId"]), newest["Purpose"], newest["ByStatus"]) == (descaled.id, "Descaling", {"Success": 1})
    assert len(scheduled) == 2  # the peak is over: no slot of the schedule counts any more
    board = await replicas[0].get(f"/hotw/dashboard/{EVENT}/Descaling")
    row = board["Services"][0]["Fleets"][0]
    assert (row["FleetId"], row["StatusReasoning"], row["CapacityOverrideSum"]) == (FLEET, "3 hosts to descale", 3)
    await eventually(
        lambda: stack.published("hotw.execution.completed"),
        lambda facts: (
            sorted(fact.key for fact in facts)
            == [f"{EVENT}#{FLEET}#Descaling", f"{EVENT}#{FLEET}#Upscaling", f"{EVENT}#{FLEET}#Upscaling"]
        ),
        "each execution is published",
    )

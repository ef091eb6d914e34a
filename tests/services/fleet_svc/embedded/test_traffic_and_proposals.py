"""Traffic by commands, beside the Events that event_svc publishes, until it is a projection (4.187, 4.531a)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.schemas.fleet_svc.traffic import BAUChanged
from shared.schemas.results import CommandResult, Outcome
from tests.support.fleet import BARE, Both, ok
from tests.support.reference import EVENT
from tests.support.waiting import until

pytestmark = pytest.mark.embedded

PROPOSAL = "/projection/F1/PD2024/proposal"


async def asked(stack: Both, kind: str, body: dict[str, Any]) -> CommandResult:
    return await stack.ask("fleet.commands", kind, body)


async def test_a_game_day_does_not_count_and_a_command_accepts_the_proposal(stack: Both) -> None:
    await ok(stack.event.post("/event", json=EVENT))  # 2024-06-01 is a game day of us-east-1

    async def event_is_known() -> bool:
        return (await stack.fleet.get("/fleet/event/PD2024")).status_code == 200

    await until(event_is_known, "fleet_svc knows the Event")
    configuration = {**BARE["FleetConfiguration"], "CTFactor": 1.5}
    made = await asked(stack, "CreateFleet", {**BARE, "FleetConfiguration": configuration})
    assert made.outcome is Outcome.ACCEPTED
    for day, value in (("2024-06-01", 900), ("2024-06-13", 100)):
        series = {f"{place // 60:02d}:{place % 60:02d}": value for place in range(1440)}
        loaded = await asked(stack, "CreateTraffic", {"FleetId": "F1", "Date": day, "Series": series, "Source": "Axon"})
        assert (loaded.outcome, loaded.id) == (Outcome.ACCEPTED, f"F1#{day}")
    await stack.settled()
    changes = [BAUChanged.model_validate(message.body()) for message in await stack.published("traffic.bau.changed")]
    assert [change.bau_tpm for change in changes] == [100]
    assert (await ok(stack.fleet.get(PROPOSAL)))["TPM"] == 150

    accept = {"FleetId": "F1", "EventId": "PD2024", "TPM": 150}
    refused = await asked(stack, "AcceptProposal", {**accept, "TPM": 149})
    assert refused.outcome is Outcome.REFUSED
    accepted = await asked(stack, "AcceptProposal", accept)
    assert (accepted.outcome, accepted.id, accepted.version_id) == (Outcome.ACCEPTED, "F1#PD2024#Peak", 1)
    assert (await ok(stack.fleet.get("/projection/F1/PD2024")))["TotalInputTPM"] == 150

"""The steps of the play by which plans follow from traffic, exceptions, throttling and mails."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

from epic.api import Api
from epic.failure import SOME_FAILED, CommandFailed
from epic.loading import Row, read_rows
from epic.messages import HttpMessages
from epic.play import scenario
from epic.play.common import COMPANY, each, load_company, settled, until
from epic.play.fleets import dashboard
from epic.terminal import Terminal
from shared.envelope import Message
from shared.schemas.results import Outcome
from shared.trace import Trace

_MINUTES: Final = 24 * 60
_ANSWER_SECONDS: Final = 30.0
_SOURCE: Final = "/gizmo"


async def take_proposal(api: Api, terminal: Terminal) -> None:
    """A day of traffic gives a fleet its BAUTPM. The owner takes the projection that follows, and verifies it."""
    fleet_id, event_id = scenario.PROPOSED_FLEET, scenario.EVENT_ID
    owner = await _owner_of(api, fleet_id)
    day = {"FleetId": fleet_id, "Date": scenario.TRAFFIC_DATE, "Source": "Prometheus", "Series": series()}
    await api.ask("POST", "/traffic", day, key="play: a day of traffic", user=scenario.OPERATOR)
    path = f"/projection/{fleet_id}/{event_id}"
    proposal = await api.ask("GET", f"{path}/proposal")
    terminal.print(f"{fleet_id}: {proposal['Working']}")
    await api.ask("POST", f"{path}/proposal/accept", {"TPM": proposal["TPM"]}, key="play: the proposal", user=owner)
    await api.ask("PUT", path, {"IsVerifiedByOwner": True}, user=owner)
    await settled(api)


async def approve_exception(api: Api, terminal: Terminal) -> None:
    """The owner of a fleet asks for a higher buffer, and a leader approves it before the hosts are calculated."""
    asked = await api.ask("POST", "/exception", scenario.EXCEPTION, key="play: the exception", user=scenario.ASKED_BY)
    await api.ask(
        "PUT",
        f"/exception/{scenario.EXCEPTED_FLEET}/{scenario.EVENT_ID}/review",
        {"Decision": "Approve", "AuditMetadata": {"Message": "The launch is confirmed"}},
        key="play: the review",
        user=scenario.APPROVED_BY,
    )
    terminal.print(
        f"{scenario.EXCEPTED_FLEET}: buffer {asked['RequestedValue']} in place of {asked['CurrentValue']}, "
        f"approved by {scenario.APPROVED_BY}"
    )
    await settled(api)


async def communicate_tpm(api: Api, terminal: Terminal) -> None:
    """EPIC mails the TPM of each fleet whose projection is gathered; the milestone is completed by the mails."""
    _, totals = await dashboard(api, scenario.EVENT_ID)
    gathered = int(totals["ByMilestone"]["GatherProjectionFromUpstream"].get("Completed", 0))

    async def communicated() -> int:
        _, now = await dashboard(api, scenario.EVENT_ID)
        return int(now["ByMilestone"]["CommunicateTPMToDownstream"].get("Completed", 0))

    with terminal.progress("plans whose TPM is communicated", gathered) as advance:
        await until("the mails with the TPM", communicated, gathered, advance=advance)


async def report_throttling(api: Api, terminal: Terminal) -> None:
    """The limits of the services that use them are written, and Gizmo reports by a message that it applies them."""
    await load_company(api, terminal, "throttling")
    messages = HttpMessages(api)

    async def report(fleet_id: str) -> None:
        data: dict[str, Any] = {
            "FleetId": fleet_id,
            "EventId": scenario.EVENT_ID,
            "AppliedVersionId": 1,
            "Source": "Gizmo",
        }
        command = Message(
            "fleet.commands",
            "ReportThrottling",
            fleet_id,
            json.dumps(data).encode(),
            _SOURCE,
            datetime.now(UTC),
            Trace.begin(),
            f"play: throttling of {fleet_id}",
            user="gizmo",
        )
        result = await messages.request(command, patience=_ANSWER_SECONDS)
        if result.outcome is Outcome.REFUSED:
            raise CommandFailed(f"the throttling of {fleet_id} was refused: {result.problem}", SOME_FAILED)

    await each(terminal, "ReportThrottling answered", throttled(), report)
    await settled(api)


def throttled() -> list[str]:
    """The fleets of the company that have limits."""
    rows = read_rows([COMPANY / "throttling.ndjson"])
    return [row.request.id.partition("#")[0] for row in rows if isinstance(row, Row)]


def series() -> dict[str, int]:
    """A day of traffic in TPM: it is lowest at 04:00 and highest at 16:00."""
    return {
        f"{minute // 60:02d}:{minute % 60:02d}": scenario.TRAFFIC_BASE_TPM
        + round(scenario.TRAFFIC_WAVE_TPM * math.sin(math.pi * (minute - 240) / _MINUTES) ** 2)
        for minute in range(_MINUTES)
    }


async def _owner_of(api: Api, fleet_id: str) -> str:
    fleet = await api.ask("GET", f"/fleet/{fleet_id}")
    service = await api.ask("GET", f"/service/{fleet['ServiceId']}")
    return str(service["Owner"])

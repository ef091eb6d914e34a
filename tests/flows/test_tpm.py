"""From a verified projection to the mails downstream and back to the plan, and throttling (6.4.41 to 6.4.54)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from epic.configuration import load_settings
from services.eventplan_svc.bootstrap import build as build_eventplan
from services.fleet_svc.bootstrap import build as build_fleet
from services.notify_svc.bootstrap import build as build_notify
from shared.schemas.results import Outcome
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.fleet import ok
from tests.support.notify import RealTime
from tests.support.snapshots import event
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded
FORTRESS, FLEET, COMMUNICATE, THROTTLING = "FORTRESSService", "FORTRESSService-NA-X0", "Communicate", "UpdateThrottling"
THREE = ("CheckoutService", "PaymentService", "SearchService")
PROJECTION = f"/projection/{FLEET}/PD2024"


@dataclass
class Company:
    """fleet_svc, eventplan_svc and notify_svc; event_svc is spoken for."""

    fleet: httpx.AsyncClient
    plans: httpx.AsyncClient
    stack: Stack
    real_time: RealTime
    mail: Path

    async def milestone(self, name: str) -> tuple[str, str | None]:
        await self.stack.settled()
        plan = await ok(self.plans.get(f"/eventplan/PD2024/{FLEET}"))
        found = next(one for one in plan["EventMilestone"] if one["EventMilestoneId"].startswith(name))
        return found["MilestoneCompletionStatus"], found.get("MilestoneMessage")

    async def becomes(self, name: str, status: str) -> str | None:
        async def now() -> tuple[str, str | None]:
            return await self.milestone(name)

        _, message = await eventually(now, lambda found: found[0] == status, f"{name} is {status}")
        return message

    def mails(self) -> dict[str, list[str]]:
        """The subjects by recipient."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.mail.glob("*.eml")):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            found.setdefault(mail["To"], []).append(mail["Subject"])
        return found


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    settings, real_time = load_settings({}, data_dir=tmp_path), RealTime()
    async with open_stack(Stack, settings, FixedClock("2024-06-15T09:00:00Z")) as stack:
        fleet, plans = await stack.start(build_fleet), await stack.start(build_eventplan)
        await stack.start(partial(build_notify, real_now=real_time))
        await stack.say(event())
        company = Company(fleet.http, plans.http, stack, real_time, tmp_path / "mail")
        for name, fleet_id in ((FORTRESS, FLEET), *((name, f"{name}-NA") for name in THREE)):
            await register(company, name, fleet_id)
        for name in THREE:
            upstream = [{"UpstreamServiceId": FORTRESS, "UpstreamTPM": 20000}]
            body = {"FleetId": f"{name}-NA", "EventId": "PD2024", "TotalInputTPM": 9, "UpstreamProjections": upstream}
            await ok(fleet.http.post("/projection", json=body))
        await stack.settled()
        yield company


async def register(company: Company, service_id: str, fleet_id: str) -> None:
    owner = f"{service_id}-owner@example.com"
    body: dict[str, Any] = {"ServiceId": service_id, "ServiceType": "Registered", "Owner": owner}
    await ok(company.fleet.post("/service", json=body))
    configuration = {"Region": "us-east-1", "HostThroughPutTPM": 250}
    body = {"FleetId": fleet_id, "ServiceId": service_id, "FleetConfiguration": configuration}
    await ok(company.fleet.post("/fleet", json=body))


async def test_a_verified_projection_is_mailed_downstream_and_a_changed_one_again(company: Company) -> None:
    body = {"FleetId": FLEET, "EventId": "PD2024", "TotalInputTPM": 55000, "IsVerifiedByOwner": True}
    await ok(company.fleet.post("/projection", json=body))
    assert await company.milestone("GatherProjection") == ("Completed", "All upstream projections verified")
    assert await company.milestone(COMMUNICATE) == ("NotStarted", None)
    assert company.mails() == {}
    company.real_time.pass_by(Settings().tpm_mail_seconds)
    assert await company.becomes(COMMUNICATE, "Completed") == "TPM of 55,000 sent to 3 services"
    first = "TPM of 55,000 from FORTRESSService for PD2024"
    assert company.mails() == {f"{name}-owner@example.com": [first] for name in THREE}

    await ok(company.fleet.put(PROJECTION, json={"ManualOverride": 60000}))
    fallen_back = ("PendingOnServiceOwner", "PeakTPM is 60000 now, this was done for 55000")
    assert await company.milestone(COMMUNICATE) == fallen_back
    await ok(company.fleet.put(PROJECTION, json={"IsVerifiedByOwner": True}))
    assert await company.milestone(COMMUNICATE) == fallen_back
    company.real_time.pass_by(Settings().tpm_mail_seconds)
    assert await company.becomes(COMMUNICATE, "Completed") == "TPM of 60,000 sent to 3 services"
    again = "TPM of 60,000 from FORTRESSService for PD2024"
    assert company.mails() == {f"{name}-owner@example.com": [first, again] for name in THREE}
    requests = await company.stack.published("eventplan.tpm.requested")
    assert [(one.body()["PeakTPM"], one.body()["DownstreamServiceIds"]) for one in requests] == [
        (55000, list(THREE)),
        (60000, list(THREE)),
    ]


async def test_reported_throttling_completes_its_milestone_until_something_changes(company: Company) -> None:
    body: dict[str, Any] = {"FleetId": FLEET, "EventId": "PD2024", "TotalInputTPM": 50000, "IsVerifiedByOwner": True}
    await ok(company.fleet.post("/projection", json=body))
    limits = [{"Client": "OrderService", "TPM": 50000}]
    await ok(company.fleet.post("/throttling", json={"FleetId": FLEET, "EventId": "PD2024", "Limits": limits}))
    assert (await company.milestone(THROTTLING))[0] == "PendingOnServiceOwner"
    report = {"FleetId": FLEET, "EventId": "PD2024", "AppliedVersionId": 1, "Source": "Gizmo"}
    reported = await company.stack.ask("fleet.commands", "ReportThrottling", report)
    assert (reported.outcome, reported.version_id) == (Outcome.ACCEPTED, 1)
    done = ("Completed", "Version 1 of the throttling is applied for 50,000 TPM")
    assert await company.milestone(THROTTLING) == done
    await ok(company.fleet.put(PROJECTION, json={"ManualOverride": 60000}))
    assert (await company.milestone(THROTTLING))[1] == "PeakTPM is 60000 now, this was done for 50000"
    await ok(company.fleet.put(PROJECTION, json={"ManualOverride": None}))
    assert await company.milestone(THROTTLING) == done
    await ok(company.fleet.put(f"/throttling/{FLEET}/PD2024", json={"Source": "SDC"}))
    assert (await company.milestone(THROTTLING))[1] == "Version 2 of the throttling is not applied yet"

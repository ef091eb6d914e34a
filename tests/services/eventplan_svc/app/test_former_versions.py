"""Former versions of a plan: restored, compared, and many plans read at once (3.19 to 3.21e)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from shared.documents.sqlite.documents import SqliteDocuments
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process, Published, milestones
from tests.support.http import after_patch, app_of, calling, pointers, version_of
from tests.support.snapshots import event, fleet, service

pytestmark = pytest.mark.slow

FLEET_ID = "FORTRESSService-NA-X0"
KEYS = {"EventId": "PD2024", "FleetId": FLEET_ID}
PLAN = f"/eventplan/PD2024/{FLEET_ID}"
FULFILLMENT = "HardwareFulfillment"


@pytest.fixture
async def http(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """A plan of which a person has blocked a milestone in its second version."""
    await process.take(event(), fleet(), fleet("Another-EU", region="eu-west-1"), service())
    await process.status(FULFILLMENT, "Blocked")
    async with calling(app_of(*process.wiring.routes)) as client:
        yield client


async def test_a_plan_is_restored_under_its_condition_with_its_reason(
    http: httpx.AsyncClient, published: Published
) -> None:
    stale = await http.post(f"{PLAN}/versions/1/restore", json={}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    body = {"Reason": "a mistake"}
    answer = await http.post(f"{PLAN}/versions/1/restore", json=body, headers={"If-Match": '"2"', "X-Epic-User": "ann"})
    assert (answer.status_code, version_of(answer)) == (200, 3), answer.text
    assert milestones(answer.json())[FULFILLMENT]["MilestoneCompletionStatus"] == "NotStarted"
    assert (answer.json()["AuditMetadata"]["Message"], answer.json()["AuditMetadata"]["User"]) == ("a mistake", "ann")
    last = [message for message in await published() if message.key == f"PD2024#{FLEET_ID}"][-1]
    assert (last.type, last.body()["VersionId"]) == ("eventplan.updated", 3)


async def test_a_restore_that_changes_nothing_makes_no_version_3_30(http: httpx.AsyncClient) -> None:
    for number in (2, 0):
        answer = await http.post(f"{PLAN}/versions/{number}/restore", json={})
        assert (answer.status_code, version_of(answer)) == (200, 2)


async def test_a_version_or_plan_that_is_not_there_is_404(http: httpx.AsyncClient) -> None:
    for path in (f"{PLAN}/versions/9", "/eventplan/PD2024/Never/versions/1", "/eventplan/Never/x/versions/1"):
        assert (await http.post(f"{path}/restore", json={})).status_code == 404
    assert (await http.get(f"{PLAN}/versions/1/diff/9")).status_code == 404
    assert (await http.get("/eventplan/PD2024/Never/versions/1/diff/2")).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"EventMilestone": []}, "/EventMilestone"),
        ({"Reason": 5}, "/Reason"),
        ({"EventPlanId": "PD2024#Another"}, "/EventPlanId"),
        ({"ServiceId": "Another"}, "/ServiceId"),
    ],
)
async def test_a_bad_member_of_a_restore_is_named(http: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await http.post(f"{PLAN}/versions/1/restore", json=body)
    assert (answer.status_code, pointers(answer)) == (400, [pointer])


async def test_a_closed_plan_is_restored_by_nobody(http: httpx.AsyncClient, process: Process) -> None:
    """6.1.30."""
    await process.take(event(version=2, active=False))
    answer = await http.post(f"{PLAN}/versions/1/restore", json={})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:plan-closed")


async def test_the_command_restores_once_and_repeats_its_first_answer(
    http: httpx.AsyncClient, process: Process
) -> None:
    body = {**KEYS, "VersionId": 1, "Reason": "a mistake"}
    first = await process.command("RestoreEventPlan", "c1", body, if_match='"2"')
    assert (first["Outcome"], first["VersionId"]) == ("Accepted", 3)
    await process.status(FULFILLMENT, "InProgress")
    assert await process.command("RestoreEventPlan", "c1", body, if_match='"2"') == first
    assert (await process.plan())["VersionId"] == 4


async def test_a_version_that_was_not_there_stays_so_for_the_same_request(
    http: httpx.AsyncClient, process: Process
) -> None:
    """3.31: the same request again gets its first answer, whatever was written since."""
    key = {"Idempotency-Key": "k1"}
    first = await http.post(f"{PLAN}/versions/3/restore", json={}, headers=key)
    assert first.status_code == 404
    await process.status(FULFILLMENT, "InProgress")
    again = await http.post(f"{PLAN}/versions/3/restore", json={}, headers=key)
    assert (again.status_code, again.content) == (404, first.content)


async def test_two_versions_are_compared_milestone_by_milestone_3_19(http: httpx.AsyncClient) -> None:
    a, b = [(await http.get(f"{PLAN}/versions/{number}")).json() for number in (1, 2)]
    found = (await http.get(f"{PLAN}/versions/1/diff/2")).json()
    assert after_patch(a, found["Patch"]) == b
    changes = {one["Member"]: (one["Before"], one["After"]) for one in found["Changes"]}
    assert changes["/EventMilestone/2/MilestoneCompletionStatus"] == ("NotStarted", "Blocked")
    assert changes["/EventMilestone/2/Source"] == ("Automated", "Human")
    assert not any("_Automation" in name for name in changes)


async def test_a_batch_of_plans_names_the_fleets_that_have_none_3_21b(
    http: httpx.AsyncClient, clock: FixedClock
) -> None:
    """In the order asked for, each once, in the colours of the moment."""
    clock.set("2024-06-02T00:00:00Z")
    wanted = ["Never", FLEET_ID, "Another-EU", FLEET_ID]
    answer = await http.post("/eventplan/batch", json={"EventId": "PD2024", "FleetIds": wanted})
    plans = [(await http.get(f"/eventplan/PD2024/{name}")).json() for name in (FLEET_ID, "Another-EU")]
    assert (answer.status_code, answer.json()) == (200, {"Items": plans, "Missing": ["Never"]})
    assert plans[0]["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    none = await http.post("/eventplan/batch", json={"EventId": "Never", "FleetIds": [FLEET_ID]})
    assert none.json() == {"Items": [], "Missing": [FLEET_ID]}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"EventId": "PD2024", "FleetIds": ["F"] * 1_001}, "/FleetIds"),
        ({"EventId": "PD2024", "FleetIds": ["a b"]}, "/FleetIds/0"),
        ({"EventId": "PD2024"}, "/FleetIds"),
        ({"FleetIds": []}, "/EventId"),
        ({"EventId": "PD2024", "FleetIds": [], "Keys": []}, "/Keys"),
    ],
)
async def test_a_bad_batch_is_named_3_21e(http: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await http.post("/eventplan/batch", json=body)
    assert (answer.status_code, pointers(answer)) == (400, [pointer])


async def test_a_batch_of_a_thousand_plans_is_one_round_trip_3_21d(
    http: httpx.AsyncClient, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"F{number}" for number in range(1_000)]
    await process.take(*(fleet(name) for name in names))
    asked: list[int] = []
    read = SqliteDocuments.latest_many

    async def counted(self: SqliteDocuments, keys: Sequence[str]) -> Any:
        asked.append(len(keys))
        return await read(self, keys)

    monkeypatch.setattr(SqliteDocuments, "latest_many", counted)
    answer = await http.post("/eventplan/batch", json={"EventId": "PD2024", "FleetIds": names})
    assert [plan["FleetId"] for plan in answer.json()["Items"]] == names
    assert asked == [1_000]

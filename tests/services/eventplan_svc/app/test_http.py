from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import StringIO

import httpx
import pytest

from shared.schemas.eventplan_views import ReadinessDashboard, ReadinessReport
from tests.support import reference
from tests.support.clock import FixedClock
from tests.support.eventplan_processes import Process
from tests.support.http import app_of, calling, pointers, version_of
from tests.support.snapshots import event, fleet, projection, service

pytestmark = pytest.mark.slow

FLEET_ID = "FORTRESSService-NA-X0"
PLAN = f"/eventplan/PD2024/{FLEET_ID}"
DONE = {"EventMilestoneId": "UpdateThrottlingInSDC", "MilestoneCompletionStatus": "Completed"}


@pytest.fixture
async def http(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    await process.take(event(), fleet(), fleet("Another-EU", region="eu-west-1"), service())
    async with calling(app_of(*process.wiring.routes)) as client:
        yield client


async def test_a_plan_is_read_with_its_version_as_etag(http: httpx.AsyncClient) -> None:
    answer = await http.get(PLAN)
    assert (answer.status_code, version_of(answer)) == (200, 1)
    plan = answer.json()
    assert plan["EventPlanId"] == f"PD2024#{FLEET_ID}"
    assert (plan["VersionId"], plan["LatestVersionId"], plan["CreatedBy"]) == (1, 1, "EPICAutomation")
    assert "_Automation" not in plan


async def test_colours_are_those_of_the_moment_and_old_versions_keep_theirs(
    http: httpx.AsyncClient, clock: FixedClock
) -> None:
    body = {"EventMilestoneId": "GatherProjectionFromUpstream", "MilestoneCompletionStatus": "InProgress"}
    assert (await http.put(f"{PLAN}/status", json=body)).json()["EventMilestone"][0]["PeakReadyStatus"] == "Yellow"
    clock.set("2024-06-02T00:00:00Z")
    assert (await http.get(PLAN)).json()["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    [listed, _] = (await http.get("/eventplan?EventId=PD2024")).json()["Items"][::-1]
    assert listed["EventMilestone"][0]["PeakReadyStatus"] == "Red"
    for path in (f"{PLAN}/2", f"{PLAN}/versions/2"):
        assert (await http.get(path)).json()["EventMilestone"][0]["PeakReadyStatus"] == "Yellow"


async def test_a_version_and_the_history_are_read_without_the_automations_memory(http: httpx.AsyncClient) -> None:
    await http.put(f"{PLAN}/status", json=DONE)
    first = (await http.get(f"{PLAN}/1")).json()
    assert first["VersionId"] == 1
    assert "_Automation" not in first
    assert (await http.get(f"{PLAN}/versions/1")).json() == first
    page = (await http.get(f"{PLAN}/versions?Limit=1")).json()
    assert [item["VersionId"] for item in page["Items"]] == [2]
    rest = (await http.get(f"{PLAN}/versions", params={"Cursor": page["NextCursor"]})).json()
    assert rest == {"Items": [first], "NextCursor": None}


async def test_plans_are_listed_by_event_service_and_fleet(http: httpx.AsyncClient) -> None:
    both = (await http.get("/eventplan?ServiceId=FORTRESSService&Limit=1")).json()
    assert [plan["FleetId"] for plan in both["Items"]] == ["Another-EU"]
    rest = (await http.get("/eventplan", params={"EventId": "PD2024", "Cursor": both["NextCursor"]})).json()
    assert [plan["FleetId"] for plan in rest["Items"]] == [FLEET_ID]
    assert "_Automation" not in rest["Items"][0]
    assert (await http.get(f"/eventplan?FleetId={FLEET_ID}&EventId=Never")).json()["Items"] == []


async def test_milestones_are_changed_in_all_three_ways(http: httpx.AsyncClient) -> None:
    assert version_of(await http.put(f"{PLAN}/status", json=DONE)) == 2
    detail = {"EventMilestoneId": "HardwareFulfillment", "ETA": "2024-07-01", "MilestoneMessage": "soon"}
    changed = await http.put(f"{PLAN}/milestone", json=detail, headers={"If-Match": '"2"'})
    assert changed.json()["EventMilestone"][2]["ETA"] == "2024-07-01"
    again = await http.put(f"{PLAN}/milestones", json={"EventMilestone": changed.json()["EventMilestone"]})
    assert version_of(again) == 3, "posted back as it was read, nothing changes"


@pytest.mark.parametrize("member", ["EventMilestoneId", "MilestoneCompletionStatus"])
async def test_a_bad_milestone_deep_in_a_list_is_named(http: httpx.AsyncClient, member: str) -> None:
    plan = (await http.get(PLAN)).json()
    plan["EventMilestone"][1]["SubMilestones"][1][member] = "Nothing"
    answer = await http.put(f"{PLAN}/milestones", json={"EventMilestone": plan["EventMilestone"]})
    assert (answer.status_code, pointers(answer)) == (400, [f"/EventMilestone/1/SubMilestones/1/{member}"])


async def test_a_plan_may_be_posted_back_whole_as_it_was_read(http: httpx.AsyncClient) -> None:
    plan = (await http.get(PLAN)).json()
    answer = await http.put(f"{PLAN}/milestones", json=plan)
    assert (answer.status_code, version_of(answer)) == (200, 1)


async def test_the_references_own_plan_is_taken_as_it_stands(http: httpx.AsyncClient) -> None:
    """4.163, 6.2.20: it holds one of the descale milestones."""
    answer = await http.put(f"{PLAN}/milestones", json=reference.PLAN)
    assert (answer.status_code, version_of(answer)) == (200, 2), answer.text
    plan = answer.json()
    for given, taken in zip(reference.PLAN["EventMilestone"], plan["EventMilestone"], strict=True):
        for member in ("MilestoneCompletionStatus", "MilestoneMessage", "PeakReadyStatus"):
            assert taken.get(member) == given.get(member)
    assert [one["EventMilestoneId"] for one in plan["EventDescaleMilestone"]] == [
        "GatherDescaleProjections",
        "PlaceDescaleOrder",
        "DescaleFulfillment",
        "RestoreThrottling",
    ]


async def test_a_stale_if_match_is_412(http: httpx.AsyncClient) -> None:
    answer = await http.put(f"{PLAN}/status", json=DONE, headers={"If-Match": '"7"'})
    assert (answer.status_code, answer.headers["content-type"]) == (412, "application/problem+json")


async def test_the_same_key_gets_the_same_answer(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await http.put(f"{PLAN}/status", json=DONE, headers=key)
    await http.put(f"{PLAN}/status", json={**DONE, "MilestoneCompletionStatus": "Blocked"})
    again = await http.put(f"{PLAN}/status", json=DONE, headers=key)
    assert (again.status_code, again.headers["etag"]) == (200, first.headers["etag"])
    other = await http.put(f"{PLAN}/status", json={**DONE, "MilestoneMessage": "x"}, headers=key)
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        ("GET", "/eventplan/PD2024/Unknown", None, 404, []),
        ("GET", f"{PLAN}/99", None, 404, []),
        ("GET", f"{PLAN}/newest", None, 400, ["/VersionId"]),
        ("GET", "/eventplan/PD2024/a%23b", None, 400, ["/FleetId"]),
        ("GET", "/eventplan?Team=x", None, 400, ["/Team"]),
        ("GET", "/eventplan?Cursor=xyz", None, 400, ["/Cursor"]),
        ("POST", "/eventplan", {"EventId": "PD2024"}, 400, ["/FleetId"]),
        ("POST", "/eventplan", {"EventId": "PD2024", "FleetId": "a/b"}, 400, ["/FleetId"]),
        ("POST", "/eventplan", {"EventId": "PD2024", "FleetId": FLEET_ID, "Colour": "Green"}, 400, ["/Colour"]),
        ("POST", "/eventplan", {"EventId": "PD2024", "FleetId": FLEET_ID}, 409, []),
        ("POST", "/eventplan", {"EventId": "Never", "FleetId": FLEET_ID}, 404, []),
        ("PUT", f"{PLAN}/status", {"EventMilestoneId": "UpdateThrottlingInSDC"}, 400, ["/MilestoneCompletionStatus"]),
        ("PUT", f"{PLAN}/status", {**DONE, "FleetId": "Another-EU"}, 400, ["/FleetId"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "Colour": "Red"}, 400, ["/Colour"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "EventPlanId": "PD2023#X"}, 400, ["/EventPlanId"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "Colour/": "Red"}, 400, ["/Colour~1"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "EventMilestoneId": "BuyHardware"}, 404, []),
        ("PUT", f"{PLAN}/status", {**DONE, "EventMilestoneId": "BuyHardware"}, 404, []),
        ("PUT", f"{PLAN}/status", {**DONE, "EventMilestoneId": "buy/hardware"}, 400, ["/EventMilestoneId"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "EventMilestoneId": None}, 400, ["/EventMilestoneId"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "MilestoneMessage": 5}, 400, ["/MilestoneMessage"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "ETA": "tomorrow"}, 400, ["/ETA"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "ETA": "2024-02-30"}, 400, ["/ETA"]),
        ("PUT", f"{PLAN}/milestone", {**DONE, "ETA": "20240701"}, 400, ["/ETA"]),
        (
            "PUT",
            f"{PLAN}/milestone",
            {**DONE, "MilestoneCompletionStatus": "Done"},
            400,
            ["/MilestoneCompletionStatus"],
        ),
        ("PUT", f"{PLAN}/milestone", {**DONE, "MilestoneCompletionStatus": None}, 400, ["/MilestoneCompletionStatus"]),
        ("PUT", f"{PLAN}/status", {**DONE, "ETA": "2024-07-01"}, 400, ["/ETA"]),
        ("PUT", f"{PLAN}/milestones", {}, 400, ["/EventMilestone"]),
        ("PUT", f"{PLAN}/milestones", {"EventMilestone": {"0": "x"}}, 400, ["/EventMilestone"]),
        ("PUT", f"{PLAN}/milestones", {"EventMilestone": ["x"]}, 400, ["/EventMilestone/0"]),
        ("PUT", f"{PLAN}/milestones", {"EventMilestone": []}, 400, ["/EventMilestone"]),
        (
            "PUT",
            f"{PLAN}/milestones",
            {"EventMilestone": [{**DONE, "Colour": "Red"}]},
            400,
            ["/EventMilestone/0/Colour"],
        ),
        ("PUT", f"{PLAN}/status", {**DONE, "EventMilestoneId": "HardwareOrder"}, 409, []),
        ("PUT", "/event/Never/dashboard", {}, 404, []),
        ("PUT", "/event/PD2024/dashboard", {"Colour": "Blue"}, 400, ["/Colour"]),
        ("PUT", "/event/PD2024/dashboard", {"Limit": 0}, 400, ["/Limit"]),
        ("PUT", "/event/PD2024/dashboard", {"ServiceIds": "Atlas"}, 400, ["/ServiceIds"]),
        ("PUT", "/event/PD2024/dashboard", {"Team": "Retail"}, 400, ["/Team"]),
        ("PUT", "/event/PD2024/dashboard", {"Cursor": "xyz"}, 400, ["/Cursor"]),
        ("PUT", "/event/PD2024/dashboard", {"Cursor": 7}, 400, ["/Cursor"]),
    ],
)
async def test_what_is_refused_is_a_problem_that_names_the_field(
    http: httpx.AsyncClient, method: str, path: str, body: object, status: int, named: list[str]
) -> None:
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, pointers(answer)) == (status, named)


async def test_the_dashboard_pages_by_service(http: httpx.AsyncClient, process: Process) -> None:
    await process.take(service("Zeta"), fleet("Zeta-NA", of="Zeta"), projection())
    first = (await http.put("/event/PD2024/dashboard", json={"Limit": 1})).json()
    assert [entry["ServiceId"] for entry in first["Services"]] == ["FORTRESSService"]
    assert first["EventId"] == "PD2024"
    assert first["Totals"]["Fleets"] == 3
    rest = (await http.put("/event/PD2024/dashboard", json={"Limit": 1, "Cursor": first["NextCursor"]})).json()
    assert [entry["ServiceId"] for entry in rest["Services"]] == ["Zeta"]
    assert rest["NextCursor"] is None
    whole = (await http.put("/event/PD2024/dashboard")).json()
    assert whole["Services"] == first["Services"] + rest["Services"]


async def test_the_colours_of_the_moment_are_in_the_tag(http: httpx.AsyncClient, clock: FixedClock) -> None:
    body = {"EventMilestoneId": "GatherProjectionFromUpstream", "MilestoneCompletionStatus": "InProgress"}
    written = await http.put(f"{PLAN}/status", json=body)
    read = await http.get(PLAN)
    assert read.headers["etag"] == written.headers["etag"]
    assert read.headers["etag"].startswith('"2.'), "3.23a"
    known = {"If-None-Match": read.headers["etag"]}
    assert (await http.get(PLAN, headers=known)).status_code == 304
    assert (await http.put(f"{PLAN}/status", json=DONE, headers=known)).status_code == 412, "3.24b"
    clock.set("2024-06-02T00:00:00Z")
    later = await http.get(PLAN, headers=known)
    assert (later.status_code, version_of(later)) == (200, 2), "a milestone is past its ETA"
    kept = await http.put(f"{PLAN}/status", json=DONE, headers={**known, "If-Match": read.headers["etag"]})
    assert (kept.status_code, version_of(kept)) == (200, 3), "3.25: If-Match judges the version"


async def test_a_plan_is_created_only_where_there_is_none(http: httpx.AsyncClient) -> None:
    body = {"EventId": "PD2024", "FleetId": FLEET_ID}
    only = await http.post("/eventplan", json=body, headers={"If-None-Match": "*"})
    assert (only.status_code, only.json()["type"]) == (412, "urn:epic:problem:stale"), "3.24c"
    unknown = await http.put("/eventplan/PD2024/none/status", json=DONE, headers={"If-Match": '"1"'})
    assert unknown.status_code == 404


async def test_a_milestone_list_is_written_and_not_read(http: httpx.AsyncClient) -> None:
    for action in ("milestones", "milestone", "status"):
        answer = await http.get(f"{PLAN}/{action}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, PUT")


BOARD = "/event/PD2024/dashboard"


async def test_a_sorted_dashboard_pages_by_its_cursor(http: httpx.AsyncClient, process: Process) -> None:
    await process.take(service("Other"), fleet("Other-EU", of="Other", region="eu-west-1"))
    await process.status("HardwareFulfillment", "InProgress", "Other-EU")
    question = {"Sort": "HostsMissing", "Limit": 1}
    first = (await http.put(BOARD, json=question)).json()
    second = (await http.put(BOARD, json={**question, "Cursor": first["NextCursor"]})).json()
    assert [page["Services"][0]["ServiceId"] for page in (first, second)] == ["FORTRESSService", "Other"]
    assert second["NextCursor"] is None
    others = ({"Sort": "ETA"}, {}, {"Sort": "Nothing"}, {**question, "Search": "other"}, {**question, "Colour": "Red"})
    for body in others:
        answer = await http.put(BOARD, json={**body, "Cursor": first["NextCursor"]})
        assert answer.status_code == 400
        assert pointers(answer) == ["/Sort" if "Nothing" in body.values() else "/Cursor"]
    for board in (f"{BOARD}/descaling", "/event/PD2025/dashboard"):
        answer = await http.put(board, json={**question, "Cursor": first["NextCursor"]})
        assert answer.status_code == (404 if "PD2025" in board else 400)


async def test_every_answer_about_an_event_fits_its_contract(http: httpx.AsyncClient) -> None:
    for path in (BOARD, f"{BOARD}/descaling"):
        ReadinessDashboard.model_validate((await http.put(path, json={})).json())
    ReadinessReport.model_validate((await http.get("/event/PD2024/readiness")).json())
    assert (await http.get("/event/Never/readiness")).status_code == 404
    assert (await http.put("/event/Never/dashboard/descaling", json={})).status_code == 404


async def test_the_descale_dashboard_works_likewise_6_6_19(http: httpx.AsyncClient, process: Process) -> None:
    for name in ("GatherDescaleProjections", "PlaceDescaleOrder", "DescaleFulfillment"):
        await process.status(name, "Completed")
    await process.status("RestoreThrottling", "PendingOnEPIC")
    shown = (await http.put(f"{BOARD}/descaling", json={"Colour": "Yellow"})).json()
    assert [row for entry in shown["Services"] for row in entry["Fleets"]] == [
        {
            "FleetId": FLEET_ID,
            "Region": "us-east-1",
            "PeakReadyStatus": "Yellow",
            "EventMilestone": "RestoreThrottling",
            "ETA": "2024-07-31",
            "StatusReasoning": None,
            "ActionPendingOn": "EPIC",
            "HostsMissing": None,
            "OrderByDate": None,
        }
    ]
    assert shown["Totals"]["ByColour"] == {"Green": 0, "Yellow": 1, "Red": 1}
    assert shown["Totals"]["ByMilestone"]["RestoreThrottling"] == {"NotStarted": 1, "PendingOnEPIC": 1}
    assert shown["Totals"]["ByRegion"]["us-east-1"]["ByColour"]["Yellow"] == 1


async def test_csv_has_every_row_of_the_filters_and_no_formula(http: httpx.AsyncClient, process: Process) -> None:
    formula = '=HYPERLINK("http://example.com";"a")'
    body = {"EventMilestoneId": "GatherProjectionFromUpstream", "MilestoneCompletionStatus": "Blocked"}
    await http.put(f"{PLAN}/status", json={**body, "MilestoneMessage": formula})
    answer = await http.put(BOARD, json={"Limit": 1, "Sort": "ETA"}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="PD2024-upscaling.csv"'
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["FleetId"] for row in rows] == ["Another-EU", FLEET_ID]
    assert rows[1]["StatusReasoning"] == f"'{formula}"
    assert (rows[1]["Owner"], rows[1]["HostsMissing"]) == ("FORTRESSService-owner", "0")
    answer = await http.put(BOARD, json={"Region": "eu-west-1"}, headers={"Accept": "text/csv"})
    assert [row["FleetId"] for row in csv.DictReader(StringIO(answer.text))] == ["Another-EU"]


async def test_the_report_is_json_or_csv_and_nothing_else_yet(http: httpx.AsyncClient) -> None:
    answer = await http.get("/event/PD2024/readiness", headers={"Accept": "text/csv"})
    [row] = csv.DictReader(StringIO(answer.text))
    assert (row["ServiceId"], row["ActionPendingOn"]) == ("FORTRESSService", "FORTRESSService-owner")
    assert row["Fleets"] == f"Another-EU {FLEET_ID}"
    for other in ("text/html", "application/pdf"):
        assert (await http.get("/event/PD2024/readiness", headers={"Accept": other})).status_code == 406

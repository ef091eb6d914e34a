"""Throttling: the limits beside the PeakTPM (4.476), and which version of them is applied (4.471 to 4.474)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.schemas.fleet_svc.throttling import ThrottlingApplied
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.http import pointers, version_of

pytestmark = pytest.mark.slow

KEY = "F1#PD2024"
PATH = "/throttling/F1/PD2024"
STATUS = f"{PATH}/status"
LIMITS = [{"Client": "OrderService", "TPM": 20000}, {"Client": "CheckoutService", "TPM": 18000}]
BODY = {"FleetId": "F1", "EventId": "PD2024", "Limits": LIMITS}
TPM = {"FleetId": "F1", "EventId": "PD2024", "TotalInputTPM": 50000}


async def limits(http: httpx.AsyncClient, *, peak_tpm: int | None = 50000) -> dict[str, Any]:
    await ok(http.post("/fleet", json=BARE))
    if peak_tpm is not None:
        await ok(http.post("/projection", json={**TPM, "TotalInputTPM": peak_tpm}))
    return await ok(http.post("/throttling", json=BODY))


async def report(http: httpx.AsyncClient, version: int, **more: Any) -> dict[str, Any]:
    return await ok(http.put(STATUS, json={"AppliedVersionId": version, **more}, headers={"X-Epic-User": "ann"}))


async def applied(published: Published) -> list[tuple[Any, ...]]:
    """Version, PeakTPM and number of each ``throttling.applied``, which has an id of its own."""
    messages = [one for one in await published() if one.topic == "throttling.applied"]
    assert len({one.id for one in messages}) == len(messages)
    assert {one.key for one in messages} <= {KEY}
    facts = [ThrottlingApplied.model_validate(one.body()) for one in messages]
    return [(fact.applied_version_id, fact.peak_tpm, fact.report_number) for fact in facts]


@pytest.mark.parametrize(
    ("peak_tpm", "compared_to"),
    [
        (50000, "12,000 below the PeakTPM of 50,000"),
        (38000, "exactly the PeakTPM"),
        (30000, "8,000 over the PeakTPM of 30,000"),
    ],
)
async def test_a_read_compares_the_sum_of_the_limits_with_the_peak_tpm(
    http: httpx.AsyncClient, peak_tpm: int, compared_to: str
) -> None:
    made = await limits(http, peak_tpm=peak_tpm)
    assert (made["LimitsSum"], made["PeakTPM"]) == (38000, peak_tpm)
    assert made["Message"] == f"The limits are 38,000 TPM together, {compared_to}"
    assert await ok(http.get(PATH)) == made == (await ok(http.get("/throttling?EventId=PD2024")))["Items"][0]


async def test_without_a_projection_there_is_nothing_to_compare_with(http: httpx.AsyncClient) -> None:
    made = await limits(http, peak_tpm=None)
    assert "PeakTPM" not in made
    assert made["Message"] == "The limits are 38,000 TPM together; there is no projection to compare them with"


async def test_the_report_of_the_latest_version_is_published_with_the_peak_tpm(
    http: httpx.AsyncClient, published: Published
) -> None:
    await limits(http)
    assert await ok(http.get(STATUS)) == {"FleetId": "F1", "EventId": "PD2024", "VersionId": 1, "Status": "NotApplied"}
    answer = await report(http, 1, Source="Gizmo")
    last = {
        "AppliedVersionId": 1,
        "Source": "Gizmo",
        "PeakTPM": 50000,
        "ReportNumber": 1,
        "ReportedAt": "2024-06-15T09:00:00.000Z",
        "ReportedBy": "ann",
    }
    assert answer == {"FleetId": "F1", "EventId": "PD2024", "VersionId": 1, "Status": "Applied", "Applied": last}
    assert await ok(http.get(STATUS)) == answer
    assert (await ok(http.get(PATH)))["Applied"] == last
    assert await applied(published) == [(1, 50000, 1)]


async def test_an_older_version_is_recorded_and_stays_not_applied(
    http: httpx.AsyncClient, published: Published
) -> None:
    await limits(http)
    await ok(http.put(PATH, json={"Source": "SDC"}))
    answer = await report(http, 1)
    assert (answer["Status"], answer["VersionId"], answer["Applied"]["AppliedVersionId"]) == ("NotApplied", 2, 1)
    assert await applied(published) == []


async def test_a_newer_version_is_not_applied_again_until_it_is_reported(
    http: httpx.AsyncClient, published: Published
) -> None:
    await limits(http)
    await report(http, 1)
    await ok(http.put(PATH, json={"Source": "SDC"}))
    assert (await ok(http.get(STATUS)))["Status"] == "NotApplied"
    assert (await report(http, 2))["Status"] == "Applied"
    assert (await report(http, 1))["Status"] == "NotApplied", "Gizmo was set back"
    assert (await report(http, 2))["Status"] == "Applied"
    assert await applied(published) == [(1, 50000, 1), (2, 50000, 2), (2, 50000, 4)]


async def test_a_report_is_kept_outside_the_versions_and_disturbs_no_if_match(http: httpx.AsyncClient) -> None:
    """As an inventory is (3.51 to 3.54): a version of the limits is what people agreed on, not what Gizmo does."""
    await limits(http)
    before = await http.get(PATH)
    await report(http, 1)
    after = await http.get(PATH)
    assert (version_of(before), version_of(after)) == (1, 1)
    assert before.headers["etag"] != after.headers["etag"], "what is read is another thing now (3.23)"
    changed = await http.put(PATH, json={"Source": "SDC"}, headers={"If-Match": before.headers["etag"]})
    assert (changed.status_code, version_of(changed)) == (200, 2)
    assert changed.json()["Applied"]["AppliedVersionId"] == 1
    history = (await ok(http.get(f"{PATH}/versions")))["Items"]
    assert ["Applied" in version for version in history] == [False, False]
    assert (await http.put(PATH, json=changed.json())).json() == changed.json(), "it may be sent back as it was read"


async def test_the_same_report_again_does_nothing_unless_the_peak_tpm_has_changed(
    http: httpx.AsyncClient, published: Published, clock: FixedClock
) -> None:
    await limits(http)
    first = await report(http, 1)
    assert await report(http, 1) == first
    await ok(http.put("/projection/F1/PD2024", json={"ManualOverride": 60000}))
    assert (await report(http, 1))["Applied"]["PeakTPM"] == 60000
    assert await applied(published) == [(1, 50000, 1), (1, 60000, 2)]


async def test_deleted_limits_have_no_status_and_new_ones_are_not_applied(
    http: httpx.AsyncClient, published: Published
) -> None:
    await limits(http)
    await report(http, 1)
    await ok(http.delete(PATH))
    assert [
        (await http.get(STATUS)).status_code,
        (await http.put(STATUS, json={"AppliedVersionId": 1})).status_code,
    ] == [
        404,
        404,
    ]
    await ok(http.post("/throttling", json=BODY))
    assert await ok(http.get(STATUS)) == {"FleetId": "F1", "EventId": "PD2024", "VersionId": 3, "Status": "NotApplied"}
    deletion = await http.put(STATUS, json={"AppliedVersionId": 2})
    assert (deletion.status_code, pointers(deletion)) == (400, ["/AppliedVersionId"])
    await report(http, 3)
    assert await applied(published) == [(1, 50000, 1), (3, 50000, 1)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "bad"),
    [
        ("PUT", STATUS, {"AppliedVersionId": 2}, 400, ["/AppliedVersionId"]),
        ("PUT", STATUS, {"AppliedVersionId": 0}, 400, ["/AppliedVersionId"]),
        ("PUT", STATUS, {}, 400, ["/AppliedVersionId"]),
        ("PUT", STATUS, {"AppliedVersionId": 1, "FleetId": "F2"}, 400, ["/FleetId"]),
        ("PUT", STATUS, {"AppliedVersionId": 1, "Status": "Applied"}, 400, ["/Status"]),
        ("PUT", "/throttling/F1/none/status", {"AppliedVersionId": 1}, 404, []),
        ("GET", "/throttling/F1/none/status", None, 404, []),
        ("GET", f"{STATUS}?Colour=red", None, 400, ["/Colour"]),
        ("POST", "/throttling", {**BODY, "FleetId": "F2"}, 404, []),
        ("PUT", PATH, {"Limits": [{"Client": "A", "TPM": -1}]}, 400, ["/Limits/0/TPM"]),
        ("PUT", PATH, {"Limits": [{"Client": "A", "TPM": 1}, {"Client": "A", "TPM": 2}]}, 400, ["/Limits"]),
        ("PUT", PATH, {"Limits": [{"Client": n, "TPM": 2147483647} for n in "AB"]}, 400, ["/Limits"]),
    ],
)
async def test_what_may_not_be_is_named(
    http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, status: int, bad: list[str]
) -> None:
    await limits(http)
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, pointers(answer)) == (status, bad), answer.text


async def test_a_report_has_no_version_so_it_takes_no_if_match(http: httpx.AsyncClient) -> None:
    await limits(http)
    answer = await http.put(STATUS, json={"AppliedVersionId": 1}, headers={"If-Match": '"1"'})
    assert (answer.status_code, pointers(answer)) == (400, ["/If-Match"])


async def test_a_repeated_report_gets_the_first_answer(http: httpx.AsyncClient, published: Published) -> None:
    await limits(http)
    key = {"Idempotency-Key": "k", "X-Epic-User": "ann"}
    first = await http.put(STATUS, json={"AppliedVersionId": 1}, headers=key)
    assert (await http.put(STATUS, json={"AppliedVersionId": 1}, headers=key)).content == first.content
    assert await applied(published) == [(1, 50000, 1)]

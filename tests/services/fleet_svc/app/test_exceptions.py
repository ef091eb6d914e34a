"""Exceptions: who asks, who reviews, what becomes of a request that changes, and how the clock ends an approval."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.on_events_changed import on_events_changed
from services.fleet_svc.app.refresh_bau import EventDays
from services.fleet_svc.bootstrap import commands_of, declared_on
from services.fleet_svc.entrypoints.http import fleet_routes
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from shared.schemas.event_svc.event import EventSnapshot
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.goldens import golden
from tests.support.http import app_of, calling, pointers, version_of

pytestmark = pytest.mark.slow

KEY = "EXCEPTION#F1#PD"
PATH = "/exception/F1/PD"
ASKED = {"FleetId": "F1", "EventId": "PD", "RequestedValue": 1.3, "BusinessReason": "more variance"}
ANN, BOB = {"X-Epic-User": "ann@amazon.com"}, {"X-Epic-User": "bob@amazon.com"}


def buffered(percentage: float | None) -> dict[str, Any]:
    configuration = {**BARE["FleetConfiguration"], "BufferPercentage": percentage}  # type: ignore[dict-item]
    return {**BARE, "FleetConfiguration": configuration}


@pytest.fixture
def declared(store: SqliteStore, fleets: Fleets, clock: FixedClock) -> Declared:
    return declared_on(store, fleets, clock)


@pytest.fixture
async def http(
    declared: Declared, store: SqliteStore, fleets: Fleets, clock: FixedClock
) -> AsyncIterator[httpx.AsyncClient]:
    app = app_of(*declared.routes(), fleet_routes(commands_of(fleets), fleets, clock))
    await store.start()
    async with calling(app) as client:
        yield client


@pytest.fixture
async def asked(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """With an exception that Ann has asked for, for a fleet with a buffer of 10 %."""
    await ok(http.post("/fleet", json=buffered(10)))
    await ok(http.post("/exception", json=ASKED, headers=ANN))
    return http


async def decide(http: httpx.AsyncClient, decision: str, **headers: Any) -> httpx.Response:
    return await http.put(f"{PATH}/review", json={"Decision": decision}, **{"headers": BOB, **headers})


async def put(http: httpx.AsyncClient, body: dict[str, Any], **headers: Any) -> dict[str, Any]:
    return await ok(http.put(PATH, json=body, **{"headers": ANN, **headers}))


async def test_a_request_is_pending_and_shows_the_buffer_that_the_fleet_has(asked: httpx.AsyncClient) -> None:
    """4.510, 4.510e."""
    found = await ok(asked.get(PATH))
    assert (
        found.items()
        >= {
            **ASKED,
            "ExceptionId": KEY,
            "ExceptionType": "BufferFactor",
            "CurrentValue": 1.1,
            "Status": "Pending",
            "RequestedBy": "ann@amazon.com",
        }.items()
    )


@pytest.mark.parametrize(("percentage", "factor"), [(None, 1), (0, 1), (12.5, 1.125), (0.123456, 1.001235)])
async def test_the_current_value_is_the_factor_of_the_percentage_to_six_places(
    http: httpx.AsyncClient, percentage: float | None, factor: float
) -> None:
    """4.510e, 2.15a: 1.00123456 has two places too many."""
    await ok(http.post("/fleet", json=buffered(percentage)))
    made = await ok(http.post("/exception", json={**ASKED, "CurrentValue": 4}, headers=ANN))
    assert made["CurrentValue"] == factor
    assert (await put(http, made))["VersionId"] == 1


async def test_the_current_value_is_that_of_the_events_line_at_the_request(asked: httpx.AsyncClient) -> None:
    """4.510e, 3.46."""
    await ok(asked.put("/fleet/F1/PD", json={"FleetConfiguration": {"BufferPercentage": 20}}))
    assert (await put(asked, {"BusinessDrivers": ["ThirdPartyDependency"]}))["CurrentValue"] == 1.1
    assert (await put(asked, {"RequestedValue": 1.4}))["CurrentValue"] == 1.2
    await ok(asked.delete("/fleet/F1"))
    assert (await put(asked, {"RequestedValue": 1.5}))["CurrentValue"] == 1.2


@pytest.mark.parametrize(("own", "factor"), [(None, 1.15), (0, 1), (10, 1.1)])
async def test_the_events_default_counts_where_the_fleet_gives_no_buffer(
    http: httpx.AsyncClient, fleets: Fleets, own: float | None, factor: float
) -> None:
    """4.463, 4.510e."""
    event = {**golden("event.created", "event.created").body(), "EventId": "PD", "DefaultBufferPercentage": 15}
    await on_events_changed([EventSnapshot.model_validate(event)], fleets=fleets, event_days=EventDays(fleets))
    await ok(http.post("/fleet", json=buffered(own)))
    assert (await ok(http.post("/exception", json=ASKED, headers=ANN)))["CurrentValue"] == factor


async def test_an_exception_of_an_unknown_fleet_is_404(http: httpx.AsyncClient) -> None:
    """4.17."""
    answer = await http.post("/exception", json=ASKED, headers=ANN)
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no Fleet F1; create it first")
    missing = await http.get(PATH)
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no Exception F1, PD")


@pytest.mark.parametrize("value", [0.99, 5.000001, "0.5", 0, "6", 1.1234567, "1e0", None])
async def test_a_value_outside_1_to_5_is_refused(asked: httpx.AsyncClient, value: Any) -> None:
    """4.510d, 2.15a."""
    answer = await asked.put(PATH, json={"RequestedValue": value}, headers=ANN)
    assert (answer.status_code, pointers(answer)) == (400, ["/RequestedValue"])


@pytest.mark.parametrize("value", [1, 5, "1.000000", "5", 4.999999])
async def test_a_value_from_1_to_5_is_taken(asked: httpx.AsyncClient, value: Any) -> None:
    """4.510d, 2.15c."""
    assert (await put(asked, {"RequestedValue": value}))["RequestedValue"] == float(value)


@pytest.mark.parametrize(
    ("decisions", "statuses"),
    [
        (["Approve"], ["Approved"]),
        (["Reject"], ["Rejected"]),
        (["Approve", "Revoke"], ["Approved", "Revoked"]),
        (["Revoke"], [None]),
        (["Approve", "Approve"], ["Approved", None]),
        (["Approve", "Reject"], ["Approved", None]),
        (["Reject", "Approve"], ["Rejected", None]),
        (["Approve", "Revoke", "Approve"], ["Approved", "Revoked", None]),
    ],
)
async def test_a_review_makes_only_the_transitions_of_4_512(
    asked: httpx.AsyncClient, decisions: list[str], statuses: list[str | None]
) -> None:
    for decision, status in zip(decisions, statuses, strict=True):
        answer = await decide(asked, decision)
        if status is None:
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:not-reviewable")
        else:
            assert answer.json()["Status"] == status, answer.text


async def test_a_review_keeps_who_when_and_why_and_publishes_it(asked: httpx.AsyncClient, published: Published) -> None:
    """4.511, 5.7a, 2.21."""
    body = {"Decision": "Approve", "Reason": "the partners confirm it"}
    answer = await ok(asked.put(f"{PATH}/review", json=body, headers=BOB))
    assert (answer["ReviewedBy"], answer["ReviewTimestamp"]) == ("bob@amazon.com", "2024-06-15T09:00:00.000Z")
    assert answer["AuditMetadata"]["Message"] == "the partners confirm it"
    messages = [(one.type, one.body()["VersionId"], one.body()["Status"]) for one in await published(KEY)]
    assert messages == [
        ("exception.created", 1, "Pending"),
        ("exception.updated", 2, "Approved"),
        ("exception.reviewed", 2, "Approved"),
    ]


@pytest.mark.parametrize("user", ["ann@amazon.com", "Ann@Amazon.COM"])
async def test_nobody_reviews_what_he_asked_for(asked: httpx.AsyncClient, user: str) -> None:
    """4.514, 10.4.7d; names are compared case-folded (10.4.4)."""
    answer = await decide(asked, "Approve", headers={"X-Epic-User": user})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:epic:problem:self-review")


@pytest.mark.parametrize("headers", [{}, {"X-Epic-User": "anonymous"}])
async def test_a_review_without_a_name_is_refused(asked: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """4.515, 10.1.23b."""
    answer = await decide(asked, "Approve", headers=headers)
    assert (answer.status_code, pointers(answer)) == (400, ["/X-Epic-User"])


@pytest.mark.parametrize(
    "change",
    [
        {"RequestedValue": 1.4},
        {"BusinessReason": "even more"},
        {"BusinessReason": None},
        {"ExpiresOn": "2024-07-31"},
        {"ExceptionType": "Other"},
    ],
)
async def test_another_request_is_pending_again_and_is_whose_who_changes_it(
    asked: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    """4.512e, 4.513: Cid changed what Bob had approved, so that Cid cannot approve it, and Ann can."""
    await decide(asked, "Approve")
    cid = {"X-Epic-User": "cid@amazon.com"}
    changed = await put(asked, change, headers=cid)
    assert (changed["Status"], changed["RequestedBy"]) == ("Pending", "cid@amazon.com")
    assert not changed.keys() & {"ReviewedBy", "ReviewTimestamp"}
    assert (await decide(asked, "Approve", headers=cid)).status_code == 409
    assert (await decide(asked, "Approve", headers=ANN)).json()["Status"] == "Approved"


async def test_what_is_not_the_request_leaves_the_approval(asked: httpx.AsyncClient) -> None:
    """4.511, 2.19e: a PUT of review fields is ignored, RequestedBy is who asked."""
    await decide(asked, "Approve")
    body = {
        "Status": "Rejected",
        "ReviewedBy": "ann@amazon.com",
        "ReviewTimestamp": "2020-01-01T00:00:00Z",
        "CurrentValue": 4,
        "RequestedBy": "cid@amazon.com",
    }
    assert (await put(asked, body))["VersionId"] == 2
    changed = await put(asked, {**body, "BusinessDrivers": ["ThirdPartyDependency"], "RequestedValue": 1.3})
    assert (changed["Status"], changed["ReviewedBy"], changed["RequestedBy"]) == (
        "Approved",
        "bob@amazon.com",
        "ann@amazon.com",
    )


async def test_the_bodys_requester_counts_only_where_nobody_is_named(http: httpx.AsyncClient) -> None:
    """4.513, 2.22."""
    await ok(http.post("/fleet", json=BARE))
    claimed = {**ASKED, "RequestedBy": "dan@amazon.com"}
    assert (await ok(http.post("/exception", json=claimed, headers=ANN)))["RequestedBy"] == "ann@amazon.com"
    for event_id, body, by in (
        ("A", {}, "dan@amazon.com"),
        ("B", {"AuditMetadata": {"User": "eve@amazon.com"}}, "eve@amazon.com"),
    ):
        made = await ok(http.post("/exception", json={**claimed, **body, "EventId": event_id}))
        assert made["RequestedBy"] == by
    assert (await put(http, {"RequestedValue": 1.5, "RequestedBy": "dan@amazon.com"}, headers={}))[
        "RequestedBy"
    ] == "dan@amazon.com"


async def test_a_stale_review_and_a_repeated_one(asked: httpx.AsyncClient) -> None:
    """3.26, 3.39, 3.40."""
    assert (await decide(asked, "Approve", headers={**BOB, "If-Match": '"7"'})).status_code == 412
    first = await decide(asked, "Approve", headers={**BOB, "If-Match": '"1"', "Idempotency-Key": "k"})
    again = await decide(asked, "Approve", headers={**BOB, "If-Match": '"1"', "Idempotency-Key": "k"})
    assert (first.status_code, version_of(first), again.content) == (200, 2, first.content)
    assert (await decide(asked, "Revoke", headers={**BOB, "Idempotency-Key": "k"})).status_code == 409


async def test_of_two_racing_reviews_one_decides(asked: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(decide(asked, one) for one in ("Approve", "Reject", "Approve", "Reject")))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_the_end_of_the_last_day_expires_an_approval_once(
    asked: httpx.AsyncClient, clock: FixedClock, declared: Declared, published: Published
) -> None:
    """4.512d, 2.17b: however many look at once."""

    async def expire() -> None:
        await asyncio.gather(*(declared.expire() for _ in range(4)))

    await put(asked, {"ExpiresOn": "2024-06-20"})
    clock.set("2024-06-21T00:00:00Z")
    await expire()
    assert (await ok(asked.get(PATH)))["Status"] == "Pending", "only an approval expires"
    clock.set("2024-06-20T23:59:59.999Z")
    await decide(asked, "Approve")
    await expire()
    assert (await ok(asked.get(PATH)))["Status"] == "Approved"
    clock.set("2024-06-21T00:00:00Z")
    await expire()
    await expire()
    found = await ok(asked.get(PATH))
    assert (found["Status"], found["VersionId"], found["ReviewedBy"]) == ("Expired", 4, "bob@amazon.com")
    assert found["AuditMetadata"]["User"] == "EPICAutomation"
    assert [one.type for one in await published(KEY)].count("exception.updated") == 3
    assert (await decide(asked, "Revoke")).status_code == 409
    assert (await put(asked, {"ExpiresOn": "2024-07-31"}))["Status"] == "Pending"


async def test_it_is_made_again_after_its_deletion_without_its_approval(asked: httpx.AsyncClient) -> None:
    """3.18c."""
    await decide(asked, "Approve")
    await ok(asked.delete(PATH))
    again = await ok(asked.post("/exception", json={**ASKED, "Status": "Approved"}, headers=BOB))
    assert (again["VersionId"], again["Status"], again["RequestedBy"]) == (4, "Pending", "bob@amazon.com")
    other = await asked.post("/exception", json={**ASKED, "ExceptionId": "F1#PD"})
    assert (other.status_code, pointers(other)) == (400, ["/ExceptionId"])


async def test_a_restored_exception_is_pending_whatever_it_asks_for(asked: httpx.AsyncClient) -> None:
    """3.20a, 3.20b, 10.4.7d: also where the request is the present one, and then Bob may no longer review it."""
    await decide(asked, "Approve")
    restored = await ok(asked.post(f"{PATH}/versions/2/restore", json={"Reason": "look again"}, headers=BOB))
    assert (restored["VersionId"], restored["Status"], restored["RequestedBy"]) == (3, "Pending", "bob@amazon.com")
    assert not restored.keys() & {"ReviewedBy", "ReviewTimestamp"}
    assert restored["AuditMetadata"]["Message"] == "look again"
    assert (await decide(asked, "Approve", headers=BOB)).status_code == 409
    await put(asked, {"RequestedValue": 2, "BusinessDrivers": ["ThirdPartyDependency"]})
    again = await ok(asked.post(f"{PATH}/versions/1/restore", json={}, headers=BOB))
    assert (again["RequestedValue"], again["CurrentValue"], "BusinessDrivers" in again) == (1.3, 1.1, False)

"""Event profiles: what an Event takes from one, what one takes from an Event, and that neither follows the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.event_svc.bootstrap import declared_on
from shared.cause import Cause
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from shared.schemas.validation import validated
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.http import app_of, calling, pointers, version_of
from tests.support.reference import EVENT as PRIME_DAY

PROFILE: dict[str, Any] = {
    "EventProfileId": "PrimeDay",
    "Name": "Prime Day",
    "EventType": "Peak",
    "RegionList": ["us-east-1", "eu-west-1"],
    "Milestones": [{"EventMilestoneId": "HardwareOrder", "DaysBeforePeak": 40}],
    "DefaultBufferPercentage": 12.5,
    "EmergentDaysBeforePeak": 10,
    "StartOffset": 2,
    "EndOffset": 3,
}
MEMBERS = {name: value for name, value in PROFILE.items() if name not in ("EventProfileId", "Name")}
BARE = {"EventId": "PD2025", "EventName": "Prime Day 2025", "PeakStartDate": "2025-07-15", "PeakEndDate": "2025-07-16"}
OF_PROFILE = {**BARE, "EventProfileId": "PrimeDay"}


@pytest.fixture
def declared(store: SqliteStore) -> Declared:
    return declared_on(store, FixedClock("2024-06-15T09:00:00Z"))


@pytest.fixture
async def http(store: SqliteStore, declared: Declared) -> AsyncIterator[httpx.AsyncClient]:
    await store.start()
    async with calling(app_of(*declared.routes())) as client:
        yield client


async def test_an_event_carries_the_members_of_its_profile_itself(http: httpx.AsyncClient) -> None:
    """4.461, 4.462, 4.464."""
    await http.post("/eventprofile", json=PROFILE)
    made = await http.post("/event", json=OF_PROFILE)
    assert (made.status_code, version_of(made)) == (200, 1), made.text
    event = made.json()
    assert {name: event[name] for name in MEMBERS} == MEMBERS
    assert event["EmergentScaleStartDate"] == "2025-07-05"
    assert "EventProfileId" not in event
    moved = await http.put("/event/PD2025", json={"PeakStartDate": "2025-07-14"})
    assert moved.json()["EmergentScaleStartDate"] == "2025-07-04"
    again = await http.put("/event/PD2025", json=moved.json())
    assert version_of(again) == 2, "2.18"


async def test_a_member_that_the_request_gives_wins_over_the_profiles(http: httpx.AsyncClient) -> None:
    await http.post("/eventprofile", json=PROFILE)
    own = {"EndOffset": 0, "RegionList": ["us-west-2"], "Milestones": []}
    event = (await http.post("/event", json={**OF_PROFILE, **own})).json()
    assert {name: event[name] for name in MEMBERS} == {**MEMBERS, **own}


async def test_neither_a_change_nor_the_deletion_of_a_profile_changes_an_event(http: httpx.AsyncClient) -> None:
    """4.465."""
    await http.post("/eventprofile", json=PROFILE)
    made = (await http.post("/event", json=OF_PROFILE)).json()
    changed = await http.put("/eventprofile/PrimeDay", json={"EmergentDaysBeforePeak": 1, "Milestones": None})
    assert version_of(changed) == 2
    assert (await http.get("/event/PD2025")).json() == made
    assert (await http.delete("/eventprofile/PrimeDay")).status_code == 200
    assert (await http.get("/event/PD2025")).json() == made
    renamed = await http.put("/event/PD2025", json={"EventName": "Prime Day"})
    assert renamed.json() == made | {name: renamed.json()[name] for name in ("EventName", *_MANAGED)}
    late = await http.post("/event", json={**OF_PROFILE, "EventId": "PD2026"})
    assert (late.status_code, late.json()["detail"]) == (404, "there is no EventProfile PrimeDay")


async def test_a_repeated_creation_has_its_first_answer_when_the_profile_is_gone(http: httpx.AsyncClient) -> None:
    """3.39."""
    key = {"Idempotency-Key": "k", "X-Epic-User": "ann"}
    await http.post("/eventprofile", json=PROFILE)
    first = await http.post("/event", json=OF_PROFILE, headers=key)
    await http.put("/eventprofile/PrimeDay", json={"RegionList": None})
    assert (await http.post("/event", json=OF_PROFILE, headers=key)).content == first.content
    await http.delete("/eventprofile/PrimeDay")
    assert (await http.post("/event", json=OF_PROFILE, headers=key)).content == first.content
    refused = await http.post(
        "/event", json={**OF_PROFILE, "EventId": "PD2026"}, headers={**key, "Idempotency-Key": "l"}
    )
    assert refused.status_code == 404
    await http.post("/eventprofile", json=PROFILE)
    again = await http.post("/event", json={**OF_PROFILE, "EventId": "PD2026"}, headers={**key, "Idempotency-Key": "l"})
    assert again.status_code == 404, "a refused request stays refused"


@pytest.mark.parametrize("body", [BARE, OF_PROFILE, {**OF_PROFILE, "RegionList": None}])
async def test_regions_are_required_where_no_profile_gives_them(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await http.post("/eventprofile", json={**PROFILE, "RegionList": None})
    answer = await http.post("/event", json=body)
    assert (answer.status_code, pointers(answer)) == (400, ["/RegionList"])
    assert answer.json()["errors"][0]["detail"] == "required; add it"


async def test_only_a_creation_names_a_profile(http: httpx.AsyncClient) -> None:
    await http.post("/eventprofile", json=PROFILE)
    await http.post("/event", json={**BARE, "RegionList": ["us-east-1"]})
    answer = await http.put("/event/PD2025", json={"EventProfileId": "PrimeDay"})
    assert (answer.status_code, pointers(answer)) == (400, ["/EventProfileId"])
    answer = await http.put("/eventprofile/PrimeDay", json={"FromEventId": "PD2025"})
    assert (answer.status_code, pointers(answer)) == (400, ["/FromEventId"])


async def test_a_profile_is_made_from_an_event(http: httpx.AsyncClient) -> None:
    """4.466."""
    await http.post("/event", json={**PRIME_DAY, **MEMBERS})
    copied = await http.post("/eventprofile", json={"EventProfileId": "P", "Name": "P", "FromEventId": "PD2024"})
    assert copied.status_code == 200, copied.text
    profile = copied.json()
    assert {name: profile[name] for name in MEMBERS} == MEMBERS
    assert not profile.keys() & {"FromEventId", "EventName", "PeakStartDate", "SPCOEventDatesByRegion", "IsActive"}
    body = {"EventProfileId": "Q", "Name": "Q", "FromEventId": "PD2024", "EventType": "Sale"}
    assert (await http.post("/eventprofile", json=body)).json()["EventType"] == "Sale"
    unknown = await http.post("/eventprofile", json={**body, "EventProfileId": "R", "FromEventId": "PD1999"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no Event PD1999")


async def test_a_profile_without_offsets_shows_the_defaults(http: httpx.AsyncClient) -> None:
    """4.460f, 4.460g."""
    made = (await http.post("/eventprofile", json={"EventProfileId": "P", "Name": "P"})).json()
    assert (made["StartOffset"], made["EndOffset"]) == (1, 1)


async def test_a_command_makes_an_event_of_a_profile(declared: Declared, http: httpx.AsyncClient) -> None:
    await http.post("/eventprofile", json=PROFILE)
    [command] = [one for one in declared.commands() if one.name == "CreateEvent"]
    cause = Cause(FixedClock("2024-06-15T09:00:00Z").now(), "ann", Trace.begin(), id="tests/1")
    written = await command.use_case(validated(command.model, OF_PROFILE), cause)
    assert written.accepted.id == "PD2025"
    assert (await http.get("/event/PD2025")).json()["DefaultBufferPercentage"] == 12.5


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (
            {"Milestones": [{"EventMilestoneId": "PlaceHardwareOrder", "DaysBeforePeak": 3}]},
            "/Milestones/0/EventMilestoneId",
        ),
        (
            {"Milestones": [{"EventMilestoneId": "RestoreThrottling", "DaysBeforePeak": 3}]},
            "/Milestones/0/EventMilestoneId",
        ),
        ({"Milestones": [{"EventMilestoneId": 5, "DaysBeforePeak": 3}]}, "/Milestones/0/EventMilestoneId"),
        ({"Milestones": [{"EventMilestoneId": "HardwareOrder"}]}, "/Milestones/0/DaysBeforePeak"),
        (
            {"Milestones": [{"EventMilestoneId": "HardwareOrder", "DaysBeforePeak": 3651}]},
            "/Milestones/0/DaysBeforePeak",
        ),
        ({"Milestones": [{"EventMilestoneId": "HardwareOrder", "DaysBeforePeak": 3}] * 2}, "/Milestones"),
        ({"EmergentDaysBeforePeak": -1}, "/EmergentDaysBeforePeak"),
        ({"EmergentDaysBeforePeak": 3651}, "/EmergentDaysBeforePeak"),
        ({"DefaultBufferPercentage": 1.2345678}, "/DefaultBufferPercentage"),
        ({"DefaultBufferPercentage": -1}, "/DefaultBufferPercentage"),
        ({"RegionList": []}, "/RegionList"),
        ({"Name": None}, "/Name"),
    ],
)
async def test_a_bad_member_of_a_profile_is_named(
    http: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    await http.post("/eventprofile", json=PROFILE)
    answer = await http.put("/eventprofile/PrimeDay", json=change)
    assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.text
    if pointer != "/Name":
        event = await http.post("/event", json={**BARE, "RegionList": ["us-east-1"], **change})
        assert (event.status_code, pointers(event)) == (400, [pointer]), event.text


_MANAGED = ("VersionId", "LatestVersionId", "AuditMetadata")

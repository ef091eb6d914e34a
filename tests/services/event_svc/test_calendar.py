"""The calendar over HTTP: its own entries beside the dates of Events, by period, and as iCalendar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import vobject

from services.event_svc.app.read_calendar import CalendarView
from services.event_svc.bootstrap import declared_on
from services.event_svc.entrypoints.http import calendar_routes
from shared.documents.sqlite import SqliteStore
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.http import app_of, calling, pointers, version_of
from tests.support.reference import EVENT as PRIME_DAY

pytestmark = pytest.mark.slow

FREEZE: dict[str, Any] = {
    "EventId": "PD2024",
    "Title": "Deployments are frozen",
    "Kind": "Freeze",
    "Start": "2024-07-10",
    "End": "2024-07-18",
    "Region": "us-east-1",
    "Description": "Ask the on-call; only mends of outages, rollbacks",
}
CALL = {
    **FREEZE,
    "CalendarId": "CALL",
    "Kind": "Other",
    "Start": "2024-07-16T16:00:00+02:00",
    "End": "2024-07-16T15:30:00Z",
}


@pytest.fixture
async def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")


@pytest.fixture
async def http(store: SqliteStore, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    declared = declared_on(store, clock)
    await store.start()
    own = calendar_routes(CalendarView(entries=declared["Calendar"], events=declared["Event"]), clock)
    async with calling(app_of(*declared.routes(instead=[own]))) as client:
        assert (await client.post("/event", json=PRIME_DAY)).status_code == 200
        yield client


async def listed(http: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    answer = await http.get("/calendar", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["Items"]
    return items


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["CalendarId"] for item in items]


async def test_an_entry_of_its_own_has_an_id_given_or_assigned(http: httpx.AsyncClient, published: Published) -> None:
    key = {"Idempotency-Key": "k"}
    made = await http.post("/calendar", json=FREEZE, headers=key)
    again = await http.post("/calendar", json=FREEZE, headers=key)
    assert (made.status_code, again.content) == (200, made.content), made.text
    assert made.json()["CalendarId"].startswith("CAL-")
    call = (await http.post("/calendar", json=CALL)).json()
    assert (call["Start"], call["End"]) == ("2024-07-16T14:00:00.000Z", "2024-07-16T15:30:00.000Z")
    assert (await http.get("/calendar/CALL")).json() == call
    assert [message.type for message in await published("CALL")] == ["calendar.created"]


async def test_an_entry_is_about_an_event_that_is_there(http: httpx.AsyncClient) -> None:
    answer = await http.post("/calendar", json={**FREEZE, "EventId": "PD1999"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no Event PD1999; create it first")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"Start": "2024-07-19"}, "/Start"),
        ({"Start": "2024-07-10T00:00:00Z"}, "/End"),
        ({"End": "2024-07-18T00:00:00"}, "/End"),
        ({"End": "18.07.2024"}, "/End"),
        ({"End": 5}, "/End"),
        ({"Kind": "Party"}, "/Kind"),
        ({"Title": ""}, "/Title"),
        ({"CalendarId": "PD2024#Peak"}, "/CalendarId"),
    ],
)
async def test_a_bad_member_is_named(http: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    answer = await http.post("/calendar", json={**FREEZE, **change})
    assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.text


async def test_the_dates_of_an_event_are_in_the_calendar_by_themselves(http: httpx.AsyncClient) -> None:
    """4.456."""
    shown = {
        item["CalendarId"]: (item["Kind"], item["Start"], item["End"], item.get("Region"))
        for item in await listed(http)
    }
    assert shown == {
        "PD2024#SPCO#eu-west-1": ("OrderDeadline", "2024-05-15", "2024-07-20", "eu-west-1"),
        "PD2024#SPCO#us-east-1": ("OrderDeadline", "2024-05-15", "2024-07-20", "us-east-1"),
        "PD2024#GatherProjectionFromUpstream": ("Other", "2024-06-01", "2024-06-01", None),
        "PD2024#GameDay#2024-06-01#us-east-1": ("GameDay", "2024-06-01", "2024-06-01", "us-east-1"),
        "PD2024#GameDay#2024-06-15#us-east-1": ("GameDay", "2024-06-15", "2024-06-15", "us-east-1"),
        "PD2024#HardwareOrder": ("Other", "2024-06-16", "2024-06-16", None),
        "PD2024#CommunicateTPMToDownstream": ("Other", "2024-07-02", "2024-07-02", None),
        "PD2024#HardwareFulfillment": ("Other", "2024-07-06", "2024-07-06", None),
        "PD2024#Emergent": ("OrderDeadline", "2024-07-09", "2024-07-09", None),
        "PD2024#UpdateThrottlingInSDC": ("Other", "2024-07-09", "2024-07-09", None),
        "PD2024#Peak": ("Peak", "2024-07-16", "2024-07-17", None),
        "PD2024#GatherDescaleProjections": ("Other", "2024-07-20", "2024-07-20", None),
        "PD2024#PlaceDescaleOrder": ("Other", "2024-07-22", "2024-07-22", None),
        "PD2024#DescaleFulfillment": ("Other", "2024-07-31", "2024-07-31", None),
        "PD2024#RestoreThrottling": ("Other", "2024-07-31", "2024-07-31", None),
    }


async def test_the_dates_of_an_event_follow_it(http: httpx.AsyncClient) -> None:
    days = [{"EventMilestoneId": "HardwareOrder", "DaysBeforePeak": 40}]
    moved = {"PeakStartDate": "2024-07-18", "PeakEndDate": "2024-07-19", "Milestones": days, "IsActive": False}
    await http.put("/event/PD2024", json=moved)
    shown = {item["CalendarId"]: item for item in await listed(http)}
    assert shown["PD2024#Peak"]["Start"] == "2024-07-18"
    assert shown["PD2024#HardwareOrder"]["Start"] == "2024-06-08"
    assert shown["PD2024#UpdateThrottlingInSDC"]["Start"] == "2024-07-11"
    assert {(item["VersionId"], item["ReadOnly"], item["Cancelled"]) for item in shown.values()} == {(2, True, True)}
    await http.delete("/event/PD2024")
    assert await listed(http) == []


async def test_a_date_of_an_event_is_read_by_its_id_and_written_by_nobody(http: httpx.AsyncClient) -> None:
    path = "/calendar/PD2024%23Peak"
    read = await http.get(path)
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    assert read.json() in await listed(http)
    assert (await http.get(path, headers={"If-None-Match": '"1"'})).status_code == 304
    assert [(await http.get(f"/calendar/{name}")).status_code for name in ("PD2024%23Nothing", "X%23Peak", "X")] == [
        404
    ] * 3
    for method in ("PUT", "DELETE"):
        answer = await http.request(method, path, json={})
        assert (answer.status_code, pointers(answer)) == (400, ["/CalendarId"])


@pytest.mark.parametrize(
    ("since", "to", "found"),
    [
        ("2024-07-15", "2024-07-15", ["FREEZE"]),
        ("2024-07-17", "2024-07-18", ["FREEZE", "PD2024#Peak"]),
        ("2024-07-18", "2024-07-18", ["FREEZE"]),
        ("2024-07-19", "2024-07-19", []),
        ("2024-07-17T23:59:59Z", "2024-07-18T00:00:00Z", ["FREEZE", "PD2024#Peak"]),
        ("2024-07-18T00:00:00Z", "2024-07-18T00:00:01Z", ["FREEZE"]),
        ("2024-07-16T15:30:00Z", "2024-07-16", ["FREEZE", "PD2024#Peak"]),
        ("2024-07-16T15:29:59Z", "2024-07-16", ["FREEZE", "PD2024#Peak", "CALL"]),
        ("2024-07-16", "2024-07-16T14:00:00Z", ["FREEZE", "PD2024#Peak"]),
        ("2024-07-16", "2024-07-16T14:00:00.001Z", ["FREEZE", "PD2024#Peak", "CALL"]),
    ],
)
async def test_a_period_shows_what_it_touches(http: httpx.AsyncClient, since: str, to: str, found: list[str]) -> None:
    await http.post("/calendar", json={**FREEZE, "CalendarId": "FREEZE"})
    await http.post("/calendar", json=CALL)
    items = await listed(http, From=since, To=to)
    assert [name for name in ids(items) if not name.startswith("PD2024#SPCO")] == found


async def test_an_instant_of_no_length_is_in_the_period_that_begins_with_it(http: httpx.AsyncClient) -> None:
    at = "2024-08-20T12:00:00Z"
    await http.post("/calendar", json={**CALL, "Start": at, "End": at})
    assert ids(await listed(http, From=at)) == ["CALL"]
    assert ids(await listed(http, From="2024-08-20", To=at)) == []
    assert ids(await listed(http, From="2024-08-20T12:00:00.001Z")) == []


async def test_the_list_is_filtered_sorted_and_paged(http: httpx.AsyncClient) -> None:
    other = {**PRIME_DAY, "EventId": "BF2024", "PeakStartDate": "2024-11-29", "PeakEndDate": "2024-11-29"}
    await http.post("/event", json=other)
    await http.post("/calendar", json={**FREEZE, "CalendarId": "FREEZE"})
    assert ids(await listed(http, EventId="BF2024", Kind="Peak")) == ["BF2024#Peak"]
    assert ids(await listed(http, Kind="Freeze")) == ["FREEZE"]
    assert ids(await listed(http, EventId="PD1999")) == []
    every = await listed(http)
    assert [item["Start"] for item in every] == sorted(item["Start"] for item in every)
    for name in ("Start", "Title", "Kind", "EventId"):
        order = sorted(every, key=lambda item: (item[name], item["CalendarId"]))
        for sort, wanted in ((name, order), (f"-{name}", order[::-1])):
            paged, cursor = list[dict[str, Any]](), None
            for _ in range(len(every) // 7 + 1):
                query = {"Sort": sort, "Limit": "7", **({"Cursor": cursor} if cursor else {})}
                page = (await http.get("/calendar", params=query)).json()
                paged += page["Items"]
                cursor = page["NextCursor"] or cursor
            assert (paged, page["NextCursor"]) == (wanted, None), sort
            asked = {"Cursor": str(cursor), "Sort": "Kind" if name == "Title" else "-Title"}
            refused = await http.get("/calendar", params=asked)
            assert (refused.status_code, pointers(refused)) == (400, ["/Cursor"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"From": "yesterday"}, "/From"),
        ({"To": "2024-07-16T12:00:00"}, "/To"),
        ({"From": "2024-07-17", "To": "2024-07-16"}, "/From"),
        ({"Kind": "Party"}, "/Kind"),
        ({"EventId": "a b"}, "/EventId"),
        ({"Colour": "red"}, "/Colour"),
        ({"Cursor": "NQ"}, "/Cursor"),
        ({"Sort": "End"}, "/Sort"),
    ],
)
async def test_a_bad_query_is_named(http: httpx.AsyncClient, query: dict[str, str], pointer: str) -> None:
    for path in ("/calendar", "/calendar.ics")[: 1 if pointer in ("/Cursor", "/Sort") else 2]:
        answer = await http.get(path, params=query)
        assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.text


async def subscribed(http: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """The events of the file by their UID, as another library reads it."""
    answer = await http.get("/calendar.ics", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))
    calendar = vobject.readOne(answer.content.decode())
    calendar.validate()
    return {event.uid.value: event for event in calendar.contents.get("vevent", [])}


async def test_another_library_reads_the_calendar_file(http: httpx.AsyncClient) -> None:
    """4.271: days are dates whose end is exclusive, times are in UTC."""
    await http.post("/calendar", json={**FREEZE, "CalendarId": "FREEZE"})
    await http.post("/calendar", json=CALL)
    events = await subscribed(http)
    assert {uid.removesuffix("@epic") for uid in events} == {item["CalendarId"] for item in await listed(http)}
    peak = events["PD2024#Peak@epic"]
    assert (peak.dtstart.value, peak.dtend.value) == (date(2024, 7, 16), date(2024, 7, 18))
    assert (peak.summary.value, peak.categories.value, peak.sequence.value) == ("PD2024: peak", ["Peak"], "0")
    assert peak.dtstamp.value == datetime(2024, 6, 15, 9, tzinfo=UTC)
    call = events["CALL@epic"]
    assert call.dtstart.value == datetime(2024, 7, 16, 14, tzinfo=UTC)
    assert call.dtend.value - call.dtstart.value == timedelta(minutes=90)
    freeze = events["FREEZE@epic"]
    assert (freeze.description.value, freeze.location.value) == (FREEZE["Description"], "us-east-1")


async def test_the_file_escapes_and_folds_what_people_write(http: httpx.AsyncClient) -> None:
    title = "Größe; 50 % mehr, \\ und 🎉 " * 5 + "Ende"
    text = "one\r\ntwo\rthree\n\nfive: \x00BEGIN:VEVENT;\ttab, end\x1b"
    body = {**FREEZE, "CalendarId": "X", "Title": title, "Description": text}
    assert (await http.post("/calendar", json=body)).status_code == 200
    [event] = (await subscribed(http, Kind="Freeze")).values()
    assert event.summary.value == title
    assert event.description.value == "one\ntwo\nthree\n\nfive:  BEGIN:VEVENT;\ttab, end "


async def test_a_change_keeps_the_uid_and_raises_the_sequence(http: httpx.AsyncClient, clock: FixedClock) -> None:
    await http.post("/calendar", json={**FREEZE, "CalendarId": "FREEZE"})
    unchanged = await http.get("/calendar.ics")
    again = await http.get("/calendar.ics", headers={"If-None-Match": unchanged.headers["etag"]})
    assert again.status_code == 304
    clock.advance(timedelta(hours=1))
    await http.put("/calendar/FREEZE", json={"End": "2024-07-19"})
    await http.put("/event/PD2024", json={"IsActive": False})
    events = await subscribed(http)
    freeze, peak = events["FREEZE@epic"], events["PD2024#Peak@epic"]
    assert (freeze.sequence.value, freeze.dtend.value) == ("1", date(2024, 7, 20))
    assert freeze.dtstamp.value == datetime(2024, 6, 15, 10, tzinfo=UTC)
    assert (peak.sequence.value, peak.status.value) == ("1", "CANCELLED")
    assert (await http.get("/calendar.ics")).headers["etag"] != unchanged.headers["etag"]


async def test_the_file_is_filtered_as_the_list_is(http: httpx.AsyncClient) -> None:
    await http.post("/calendar", json=CALL)
    query = {"From": "2024-07-16T15:00:00Z", "To": "2024-07-16", "EventId": "PD2024", "Kind": "Other"}
    assert list(await subscribed(http, **query)) == ["CALL@epic"]
    assert await subscribed(http, EventId="PD1999") == {}


async def test_an_instant_of_no_length_has_no_end_in_the_file(http: httpx.AsyncClient) -> None:
    await http.post("/calendar", json={**CALL, "Start": "2024-07-16T12:00:00.100Z", "End": "2024-07-16T12:00:00.900Z"})
    [event] = (await subscribed(http, Kind="Other", From="2024-07-16T12:00:00Z", To="2024-07-16T12:00:01Z")).values()
    assert event.dtstart.value == datetime(2024, 7, 16, 12, tzinfo=UTC)
    assert not hasattr(event, "dtend")


async def test_a_deleted_entry_is_gone_from_list_and_file(http: httpx.AsyncClient) -> None:
    await http.post("/calendar", json=CALL)
    gone = await http.delete("/calendar/CALL")
    assert version_of(gone) == 2
    assert "CALL" not in ids(await listed(http))
    assert "CALL@epic" not in await subscribed(http)
    assert version_of(await http.post("/calendar", json=CALL)) == 3
    assert (await subscribed(http))["CALL@epic"].sequence.value == "2"

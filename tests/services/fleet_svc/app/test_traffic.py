"""Traffic over HTTP: a day in parts, its series beside the versions, and the BAUTPM that follows (4.530 to 4.535)."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.turn_traffic_day import turn_traffic_day
from services.fleet_svc.bootstrap import bau_on, declared_on
from shared.documents.sqlite import SqliteStore
from shared.schemas.fleet_svc.traffic import BAUChanged, TrafficSnapshot
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, ok
from tests.support.http import pointers, version_of

pytestmark = pytest.mark.slow

KEY = "F1#2024-06-15"
PATH = "/traffic/F1/2024-06-15"


def minutes(value: int, count: int = 1440) -> dict[str, int]:
    return {f"{place // 60:02d}:{place % 60:02d}": value for place in range(count)}


def body(date: str = "2024-06-15", series: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "FleetId": "F1",
        "Date": date,
        "Series": {"08:00": 100} if series is None else series,
        "Source": "Axon",
        **more,
    }


async def load(http: httpx.AsyncClient, date: str, value: int) -> dict[str, Any]:
    return await ok(http.post("/traffic", json=body(date, minutes(value))))


async def bau(published: Published) -> list[tuple[int, int | None]]:
    """Version and BAUTPM of each event."""
    messages = [one for one in await published() if one.topic == "traffic.bau.changed"]
    assert {one.key for one in messages} <= {"F1"}
    facts = [BAUChanged.model_validate(one.body()) for one in messages]
    return [(fact.version_id, fact.bau_tpm) for fact in facts]


@pytest.fixture
async def http(http: httpx.AsyncClient) -> httpx.AsyncClient:
    await ok(http.post("/fleet", json=BARE))
    return http


async def test_a_put_merges_the_minutes_that_it_gives_and_null_clears_one(http: httpx.AsyncClient) -> None:
    """4.535b, 3.29."""
    await ok(http.post("/traffic", json=body(series={"08:00": 100, "08:01": 110})))
    changed = await ok(http.put(PATH, json={"Series": {"08:01": None, "08:02": 120, "07:59": "90"}}))
    assert changed["Series"] == {"07:59": 90, "08:00": 100, "08:02": 120}
    assert list(changed["Series"]) == sorted(changed["Series"])
    assert (changed["Minutes"], changed["VersionId"]) == (3, 2)
    assert await ok(http.get(PATH)) == changed
    assert (await http.post("/traffic", json=body())).json()["type"] == "urn:epic:problem:exists"
    empty = await ok(http.put(PATH, json={"Series": dict.fromkeys(changed["Series"])}))
    assert (empty["Series"], empty["Minutes"]) == ({}, 0)


async def test_the_same_minutes_again_make_no_version(http: httpx.AsyncClient) -> None:
    first = await ok(http.post("/traffic", json=body()))
    again = await http.put(PATH, json={"Series": {"08:00": 100}}, headers={"If-Match": '"1"'})
    assert (again.json(), version_of(again)) == (first, 1)
    assert await ok(http.put(PATH, json=first)) == first


async def test_lists_and_events_hold_number_and_hash_in_place_of_the_series(
    http: httpx.AsyncClient, published: Published
) -> None:
    """4.532."""
    made = await ok(http.post("/traffic", json=body()))
    [listed] = (await ok(http.get("/traffic", params={"Date": "2024-06-15", "FleetId": "F1"})))["Items"]
    assert "Series" not in listed
    assert (listed["Minutes"], listed["SeriesHash"]) == (1, made["SeriesHash"])
    [event] = [one for one in await published(KEY) if one.topic == "traffic.created"]
    assert event.body() == {name: value for name, value in made.items() if name != "Series"}
    TrafficSnapshot.model_validate(event.body())


async def test_every_version_has_its_own_series(http: httpx.AsyncClient) -> None:
    await ok(http.post("/traffic", json=body()))
    await ok(http.put(PATH, json={"Series": {"08:01": 7}}))
    assert (await ok(http.get(f"{PATH}/versions/1")))["Series"] == {"08:00": 100}
    restored = await ok(http.post(f"{PATH}/versions/1/restore", json={"Reason": "of another fleet"}))
    assert (restored["Series"], restored["VersionId"]) == ({"08:00": 100}, 3)


async def test_a_refused_write_leaves_no_series_behind(http: httpx.AsyncClient, store: SqliteStore) -> None:
    await ok(http.post("/traffic", json=body()))
    stale = await http.put(PATH, json={"Series": {"08:01": 7}}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    assert (await http.post("/traffic", json=body())).status_code == 409
    assert len(await store._file.rows("SELECT number FROM parts")) == 1


async def test_of_two_writers_at_once_both_have_their_minutes(http: httpx.AsyncClient) -> None:
    await ok(http.post("/traffic", json=body()))
    given = [{f"0{hour}:{minute:02d}": minute} for hour in range(8) for minute in range(4)]
    answers = await asyncio.gather(*(http.put(PATH, json={"Series": one}) for one in given))
    assert {answer.status_code for answer in answers} == {200}
    found = await ok(http.get(PATH))
    assert (found["Minutes"], found["VersionId"]) == (33, 33)


async def test_a_repeated_part_is_answered_as_the_first_time(http: httpx.AsyncClient) -> None:
    await ok(http.post("/traffic", json=body()))
    key = {"Idempotency-Key": "08:01"}
    first = await http.put(PATH, json={"Series": {"08:01": 7}}, headers=key)
    await ok(http.put(PATH, json={"Series": {"08:01": 8}}))
    again = await http.put(PATH, json={"Series": {"08:01": 7}}, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await ok(http.get(PATH)))["Series"]["08:01"] == 8


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"Series": {"24:00": 1}}, ["/Series/24:00"]),
        ({"Series": {"8:00": 1}}, ["/Series/8:00"]),
        ({"Series": {"08:00": -1}}, ["/Series/08:00"]),
        ({"Series": {"08:00": 1.5}}, ["/Series/08:00"]),
        ({"Series": {"09:01": 1}}, ["/Series/09:01"]),
        ({"Series": [1, 2]}, ["/Series"]),
        ({"Date": "2024-06-16"}, ["/Date"]),
        ({"Date": "2024-05-11"}, ["/Date"]),
        ({"Date": "2024-06-31"}, ["/Date"]),
        ({"Source": None}, ["/Source"]),
    ],
)
async def test_what_is_no_traffic_is_named(http: httpx.AsyncClient, given: dict[str, Any], named: list[str]) -> None:
    answer = await http.post("/traffic", json={**body(), **given})
    assert (answer.status_code, pointers(answer)) == (400, named)


async def test_the_fleet_must_exist_and_the_day_of_a_path_be_a_day(http: httpx.AsyncClient) -> None:
    assert (await http.post("/traffic", json={**body(), "FleetId": "F2"})).status_code == 404
    assert pointers(await http.get("/traffic/F1/2024-06-31")) == ["/Date"]


async def test_a_body_may_come_compressed(http: httpx.AsyncClient) -> None:
    """4.534."""
    content = gzip.compress(json.dumps(body(series=minutes(5, 540))).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert (await ok(http.post("/traffic", content=content, headers=headers)))["Minutes"] == 540


async def test_bautpm_takes_a_days_worth_of_minutes_and_is_published_when_it_changes(
    http: httpx.AsyncClient, published: Published
) -> None:
    """4.531b, 4.531c, 5.7e."""
    await ok(http.post("/traffic", json=body("2024-06-14", minutes(100, 1439))))
    assert await bau(published) == []
    await ok(http.put("/traffic/F1/2024-06-14", json={"Series": {"23:59": 100}}))
    await ok(http.post("/traffic", json=body("2024-06-13", minutes(100))))
    await ok(http.post("/traffic", json=body("2024-06-12", minutes(300))))
    await ok(http.delete("/traffic/F1/2024-06-12"))
    numbers, values = zip(*(await bau(published)), strict=True)
    assert values == (100, 300, 100)
    assert sorted(numbers) == list(numbers)
    for day in (13, 14):
        await ok(http.delete(f"/traffic/F1/2024-06-{day}"))
    assert (await bau(published))[-1][1] is None


async def test_a_day_that_shows_too_little_is_read_in_full(http: httpx.AsyncClient, published: Published) -> None:
    """All of the highest minutes are of one day: more than its version shows."""
    for day in range(1, 15):
        await load(http, f"2024-06-{day:02d}", 100)
    rising = {minute: 10_000 + place for place, minute in enumerate(minutes(0))}
    await ok(http.put("/traffic/F1/2024-06-14", json={"Series": rising}))
    everything = sorted([100] * 1440 * 13 + list(rising.values()))
    assert (await bau(published))[-1][1] == everything[-(-95 * len(everything) // 100) - 1]


async def test_peak_and_game_days_of_the_fleets_region_do_not_count(
    http: httpx.AsyncClient, fleets: Fleets, published: Published
) -> None:
    """4.531a."""
    event = {"RegionList": ["us-east-1"], "PeakStartDate": "2024-06-10", "PeakEndDate": "2024-06-11"}
    game = {"GameDays": {"us-east-1": ["2024-06-05"], "eu-west-1": ["2024-06-06"]}}
    await fleets.events.put([("PD2024", 1, {"EventId": "PD2024", **event, **game})])
    for day in ("2024-06-10", "2024-06-11", "2024-06-05"):
        await load(http, day, 900)
    assert await bau(published) == []
    await load(http, "2024-06-06", 100)
    assert [value for _, value in await bau(published)] == [100]


async def test_racing_writers_of_a_fleets_days_end_with_the_bautpm_of_all(
    http: httpx.AsyncClient, published: Published
) -> None:
    await asyncio.gather(*(load(http, f"2024-06-{day:02d}", day) for day in range(1, 15)))
    everything = sorted(day for day in range(1, 15) for _ in range(1440))
    assert (await bau(published))[-1][1] == everything[-(-95 * len(everything) // 100) - 1]


async def test_a_new_day_moves_the_window_once_among_all_processes_and_deletes_the_oldest(
    http: httpx.AsyncClient, store: SqliteStore, fleets: Fleets, clock: FixedClock, published: Published
) -> None:
    """4.531c, 4.533."""
    declared = declared_on(store, fleets, clock)
    processes = [bau_on(store, declared, fleets, clock) for _ in range(2)]
    await load(http, "2024-05-19", 900)  # the first of the window
    await load(http, "2024-05-12", 500)  # the first that is kept
    await load(http, "2024-06-01", 100)
    assert (await bau(published))[-1][1] == 900

    async def turn() -> None:
        await asyncio.gather(*(turn_traffic_day(store=one, leases=store.leases()) for one in processes))

    await turn()
    clock.set("2024-06-16T00:00:30Z")
    await turn()
    await turn()
    assert [value for _, value in await bau(published)][-2:] == [900, 100]
    gone = "/traffic/F1/2024-05-12"
    assert (await http.get(gone)).status_code == 404
    [deletion, creation] = (await ok(http.get(f"{gone}/versions")))["Items"]
    assert (deletion["Deleted"], deletion["AuditMetadata"]["User"]) == (True, "EPICAutomation")
    assert (creation["Minutes"], "Series" in creation) == (1440, False)
    assert "Series" not in await ok(http.get(f"{gone}/versions/1"))
    assert len(await store._file.rows("SELECT number FROM parts")) == 2
    clock.advance(timedelta(days=1))
    await turn()
    assert (await http.get(f"{gone}/versions")).status_code == 404
    clock.advance(timedelta(days=40))
    await turn()
    assert (await ok(http.get("/traffic")))["Items"] == []
    assert (await bau(published))[-1][1] is None

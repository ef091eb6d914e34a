"""The Event resource over HTTP: its defaults, its refusals, its versions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.event_svc.resources import RESOURCES
from shared.documents import Documents
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.http import app_of, calling, pointers, version_of
from tests.support.reference import EVENT as PRIME_DAY

BARE = {
    "EventId": "BF2024",
    "EventName": "Black Friday",
    "RegionList": ["us-east-1"],
    "PeakStartDate": "2024-11-29",
    "PeakEndDate": "2024-11-29",
}


@pytest.fixture
def declared(store: SqliteStore) -> Declared:
    return Declared(RESOURCES, store, FixedClock("2024-06-15T09:00:00Z"))


@pytest.fixture
def documents(declared: Declared) -> Documents:
    return declared["Event"].documents


@pytest.fixture
async def http(store: SqliteStore, declared: Declared) -> AsyncIterator[httpx.AsyncClient]:
    await store.start()
    async with calling(app_of(*declared.routes())) as client:
        yield client


async def test_the_references_event_is_taken_as_it_stands_and_read_back(http: httpx.AsyncClient) -> None:
    made = await http.post("/event", json=PRIME_DAY)
    assert made.status_code == 200, made.text
    assert version_of(made) == 1
    read = (await http.get("/event/PD2024")).json()
    own = {name: value for name, value in PRIME_DAY.items() if name not in ("VersionId", "LatestVersionId")}
    assert read == read | own
    assert (read["VersionId"], read["LatestVersionId"], read["CreatedAt"]) == (1, 1, "2024-06-15T09:00:00.000Z")
    assert (await http.get("/event/latest/PD2024")).json() == read


async def test_what_nobody_gave_is_computed_at_each_read(http: httpx.AsyncClient) -> None:
    made = (await http.post("/event", json=BARE)).json()
    assert (made["IsActive"], made["EmergentScaleStartDate"]) == (True, "2024-11-22")
    assert (made["StartOffset"], made["EndOffset"]) == (1, 1)
    moved = await http.put("/event/BF2024", json={"PeakStartDate": "2024-11-28"})
    assert moved.json()["EmergentScaleStartDate"] == "2024-11-21"


async def test_an_event_posted_back_as_read_makes_no_version_and_fixes_no_default(
    http: httpx.AsyncClient, documents: Documents
) -> None:
    read = (await http.post("/event", json=BARE)).json()
    same = await http.put("/event/BF2024", json=read)
    assert (same.status_code, same.json()["VersionId"]) == (200, 1)
    renamed = await http.put("/event/BF2024", json={**read, "EventName": "Black Friday 2024"})
    assert renamed.json()["VersionId"] == 2
    kept = await documents.latest("BF2024")
    assert kept is not None
    assert "EmergentScaleStartDate" not in kept.state


async def test_a_date_somebody_gave_stays_when_the_peak_moves(http: httpx.AsyncClient) -> None:
    await http.post("/event", json=BARE)
    await http.put("/event/BF2024", json={"EmergentScaleStartDate": "2024-11-20"})
    moved = await http.put("/event/BF2024", json={"PeakEndDate": "2024-12-02", "PeakStartDate": "2024-12-01"})
    assert moved.json()["EmergentScaleStartDate"] == "2024-11-20"
    freed = await http.put("/event/BF2024", json={"EmergentScaleStartDate": None})
    assert freed.json()["EmergentScaleStartDate"] == "2024-11-24"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"PeakStartDate": "2024-12-01"}, "/PeakStartDate"),
        ({"PeakStartDate": "29.11.2024"}, "/PeakStartDate"),
        ({"RegionList": []}, "/RegionList"),
        ({"RegionList": ["us-east-1", ""]}, "/RegionList/1"),
        ({"EventName": None}, "/EventName"),
        ({"IsActive": "yes"}, "/IsActive"),
        ({"StartOffset": -1}, "/StartOffset"),
        ({"Colour": "red"}, "/Colour"),
        ({"Colour": None}, "/Colour"),
        ({"event_name": "x"}, "/event_name"),
        ({"SPCOEventDatesByRegion": {"us-east-1": {"Bogus": None}}}, "/SPCOEventDatesByRegion/us-east-1/Bogus"),
        (
            {"SPCOEventDatesByRegion": {"eu": {"SPCOStartDate": "2024-07-20", "SPCOEndDate": "2024-05-15"}}},
            "/SPCOEventDatesByRegion/eu/SPCOStartDate",
        ),
        ({"EventId": "another"}, "/EventId"),
        ({"AuditMetadata": {"Message": 5}}, "/AuditMetadata/Message"),
    ],
)
async def test_a_bad_field_is_named(http: httpx.AsyncClient, change: dict[str, object], pointer: str) -> None:
    await http.post("/event", json=BARE)
    answer = await http.put("/event/BF2024", json=change)
    assert answer.status_code == 400, answer.text
    assert pointers(answer) == [pointer]
    assert all(error["detail"] for error in answer.json()["errors"])


async def test_a_region_is_taken_out_by_null(http: httpx.AsyncClient) -> None:
    await http.post("/event", json=PRIME_DAY)
    answer = await http.put("/event/PD2024", json={"SPCOEventDatesByRegion": {"eu-west-1": None}})
    assert list(answer.json()["SPCOEventDatesByRegion"]) == ["us-east-1"]


@pytest.mark.parametrize("bad", ["a#b", "a/b", "", "-a", "latest", "x" * 129, 5, None])
async def test_a_bad_id_is_refused(http: httpx.AsyncClient, bad: object) -> None:
    answer = await http.post("/event", json={**BARE, "EventId": bad})
    assert (answer.status_code, pointers(answer)) == (400, ["/EventId"])


async def test_a_deleted_event_keeps_its_history_and_goes_on_counting(
    http: httpx.AsyncClient, published: Published
) -> None:
    await http.post("/event", json=BARE)
    gone = await http.delete("/event/BF2024", headers={"If-Match": '"1"'})
    assert (gone.status_code, gone.json()["Deleted"]) == (200, True)
    assert (await http.get("/event/BF2024")).status_code == 404
    assert (await http.put("/event/BF2024", json={"EventName": "x"})).status_code == 404
    history = (await http.get("/event/BF2024/versions")).json()
    assert [item["VersionId"] for item in history["Items"]] == [2, 1]
    again = await http.post("/event", json=BARE)
    assert again.json()["VersionId"] == 3
    assert [(message.topic, message.key, message.id) for message in await published()] == [
        ("event.created", "BF2024", "BF2024:1:event.created"),
        ("event.deleted", "BF2024", "BF2024:2:event.deleted"),
        ("event.created", "BF2024", "BF2024:3:event.created"),
    ]


async def test_a_default_that_a_read_works_out_is_in_the_tag(http: httpx.AsyncClient) -> None:
    made = await http.post("/event", json=BARE)
    assert made.headers["etag"].startswith('"1.'), "3.23a"
    read = await http.get("/event/BF2024")
    assert read.headers["etag"] == made.headers["etag"] == (await http.get("/event/latest/BF2024")).headers["etag"]
    moved = await http.put("/event/BF2024", json={"PeakStartDate": "2024-11-28"}, headers={"If-Match": '"1"'})
    assert (moved.status_code, version_of(moved)) == (200, 2)
    assert moved.headers["etag"].partition(".")[2] != made.headers["etag"].partition(".")[2]
    given = {name: moved.json()[name] for name in ("IsActive", "EmergentScaleStartDate", "StartOffset", "EndOffset")}
    whole = await http.post("/event", json={**BARE, "EventId": "CM2024", **given})
    assert whole.headers["etag"] == '"1"', "nothing is left to be worked out"

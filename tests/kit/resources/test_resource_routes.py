"""What every declared resource does over HTTP, shown on a small one with a composite key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.cause import Cause
from shared.documents import Documents
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared, Resource
from shared.schemas.base import Id, Text, WireModel
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.projection import PROJECTION
from shared.schemas.resource_contract import ResourceContract
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.http import app_of, calling, pointers

FLEETS = Resource(contract=FLEET, path="/fleet")
PROJECTIONS = Resource(contract=PROJECTION, path="/projection", filters=("EventId",), references=(FLEET,))
BODY = {"FleetId": "F1", "EventId": "PD2024", "TotalInputTPM": 50000}


class Note(WireModel):
    note_id: Id
    fleet_id: Id | None = None
    text: Text = ""


NOTES = Resource(
    contract=ResourceContract(model=Note, owner="fleet_svc", key=("NoteId",)), path="/note", references=(FLEET,)
)


@pytest.fixture
def declared(store: SqliteStore) -> Declared:
    return Declared([PROJECTIONS, FLEETS, NOTES], store, FixedClock("2024-06-15T09:00:00Z"))


@pytest.fixture
def documents(declared: Declared) -> Documents:
    return declared["Projection"].documents


@pytest.fixture
async def http(store: SqliteStore, declared: Declared) -> AsyncIterator[httpx.AsyncClient]:
    await store.start()
    cause = Cause(FixedClock("2024-06-15T09:00:00Z").now(), "ann", Trace.begin())
    await declared["Fleet"].documents.create_many([(f"F{n}", {"FleetId": f"F{n}"}) for n in range(5)], "x", cause)
    async with calling(app_of(*declared.routes())) as client:
        yield client


async def test_a_composite_key_is_path_segments_and_a_query(http: httpx.AsyncClient) -> None:
    made = await http.post("/projection", json={**BODY, "ProjectionId": "F1#PD2024#Peak"})
    assert made.json()["ProjectionId"] == "F1#PD2024#Peak"
    await http.post("/projection", json={**BODY, "ProjectionType": "BAU", "TotalInputTPM": 7})
    assert (await http.get("/projection/F1/PD2024")).json()["TotalInputTPM"] == 50000
    assert (await http.get("/projection/F1/PD2024?ProjectionType=BAU")).json()["TotalInputTPM"] == 7
    assert (await http.get("/projection/F1/PD2024?ProjectionType=None-such")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "/projection", {**BODY, "ProjectionId": "F2#PD2024#Peak"}, "/ProjectionId"),
        ("PUT", "/projection/F1/PD2024", {"ProjectionId": "F2#PD2024#Peak"}, "/ProjectionId"),
        ("PUT", "/projection/F1/PD2024", {"ProjectionType": "BAU"}, "/ProjectionType"),
        ("PUT", "/projection/F1/PD2024", {"FleetId": 5}, "/FleetId"),
        ("PUT", "/projection/F1/PD2024", {"TotalInputTPM": None}, "/TotalInputTPM"),
        ("DELETE", "/projection/F1/PD2024", {"Reason": "gone"}, "/Reason"),
        ("DELETE", "/projection/F1/PD2024", {"FleetId": "F2"}, "/FleetId"),
        ("GET", "/projection/F%231/PD2024", None, "/FleetId"),
        ("GET", "/projection/F1/PD2024?ProjectionType=a%20b", None, "/ProjectionType"),
        ("GET", "/projection/F1/PD2024?Colour=red", None, "/Colour"),
        ("GET", "/projection?EventId=a&EventId=b", None, "/EventId"),
        ("GET", "/projection?Limit=0", None, "/Limit"),
        ("GET", "/projection?Limit=1001", None, "/Limit"),
        ("GET", "/projection?Cursor=%21%21", None, "/Cursor"),
        ("GET", "/projection?Cursor=NQ", None, "/Cursor"),
        ("GET", "/projection/F1/PD2024/versions/one", None, "/VersionId"),
    ],
)
async def test_bad_input_is_named(
    http: httpx.AsyncClient, method: str, path: str, body: dict[str, object] | None, pointer: str
) -> None:
    await http.post("/projection", json=BODY)
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 400, answer.text
    assert pointers(answer) == [pointer]


async def test_what_may_not_be_made_is_refused_and_nothing_is_there(
    http: httpx.AsyncClient, documents: Documents
) -> None:
    answer = await http.post("/projection", json={**BODY, "FleetId": "G1"})
    assert answer.status_code == 404
    assert (await documents.list()).items == []


async def test_the_same_post_twice_is_409_but_with_one_key_the_same_answer(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1", "X-Epic-User": "ann"}
    first = await http.post("/projection", json=BODY, headers=key)
    again = await http.post("/projection", json=BODY, headers=key)
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert (await http.post("/projection", json=BODY)).status_code == 409
    other = await http.post("/projection", json={**BODY, "TotalInputTPM": 1}, headers=key)
    assert (other.status_code, other.json()["type"]) == (409, "urn:epic:problem:id-reused")
    of_another = await http.post("/projection", json=BODY, headers={**key, "X-Epic-User": "bob"})
    assert of_another.json()["type"] == "urn:epic:problem:exists"


async def test_a_key_of_a_put_is_409_for_a_delete_of_the_same_path_3_34_3_40(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1", "X-Epic-User": "ann"}
    await http.post("/projection", json=BODY)
    path = "/projection/F1/PD2024"
    changed = await http.put(path, json={}, headers=key)
    assert changed.status_code == 200
    deleted = await http.delete(path, headers=key)
    assert (deleted.status_code, deleted.json()["type"]) == (409, "urn:epic:problem:id-reused")
    assert (await http.get(path)).status_code == 200
    assert (await http.put(path, json={}, headers=key)).content == changed.content


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (b"1e400", "give a whole number from 0"),
        (b"9" * 5000, "give a whole number from 0"),
        (rb'"\ud800"', "give whole characters"),
        (b"[" * 1030 + b"]" * 1030, "give at most 250 levels"),
    ],
    ids=["1e400", "5,000 digits", "half a character", "1,030 levels"],
)
async def test_json_beyond_a_parser_s_limits_is_400_and_names_the_field_4_9b(
    http: httpx.AsyncClient, value: bytes, remedy: str
) -> None:
    await http.post("/projection", json=BODY)
    json_type = {"Content-Type": "application/json"}
    answer = await http.put("/projection/F1/PD2024", content=b'{"TotalInputTPM": %s}' % value, headers=json_type)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["detail"].startswith(remedy)) == ("/TotalInputTPM", True)


async def test_if_match_holds_only_for_the_latest(http: httpx.AsyncClient) -> None:
    made = await http.post("/projection", json=BODY)
    tag = {"If-Match": made.headers["etag"]}
    changed = await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 1}, headers=tag)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 2}, headers=tag)
    assert stale.status_code == 412
    assert (await http.delete("/projection/F1/PD2024", headers=tag)).status_code == 412
    bad = await http.put("/projection/F1/PD2024", json={}, headers={"If-Match": "three"})
    assert (bad.status_code, pointers(bad)) == (400, ["/If-Match"])
    base = await http.put("/projection/F1/PD2024", json={}, headers={"If-Match": '"base-2"'})
    assert base.status_code == 412
    anyone = await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 3}, headers={"If-Match": "*"})
    assert anyone.status_code == 200


async def test_if_match_takes_a_list_and_compares_strongly(http: httpx.AsyncClient) -> None:
    await http.post("/projection", json=BODY)
    for given, status in (
        ('"7", "1"', 200),
        ('"1.0123456789abcdef"', 200),  # 3.25: it judges n
        ('W/"1"', 412),  # 3.28
        ('"7", "8"', 412),
        ('"of-another-server"', 412),
        ("1", 400),
        ('"1", *', 400),
    ):
        answer = await http.put("/projection/F1/PD2024", json={}, headers={"If-Match": given})
        assert answer.status_code == status, given
    lines = httpx.Headers([("If-Match", '"7"'), ("If-Match", '"1"')])
    assert (await http.put("/projection/F1/PD2024", json={}, headers=lines)).status_code == 200


async def test_a_write_whose_if_none_match_matches_is_412(http: httpx.AsyncClient) -> None:
    made = await http.post("/projection", json=BODY, headers={"If-None-Match": "*"})
    assert made.status_code == 200
    refused = await http.post("/projection", json=BODY, headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.json()["type"]) == (412, "urn:epic:problem:stale"), "3.24c"
    for method, body in (("PUT", {"TotalInputTPM": 1}), ("DELETE", None)):
        for given in ("*", '"1"', '"9", W/"1"'):  # 3.24b
            answer = await http.request(method, "/projection/F1/PD2024", json=body, headers={"If-None-Match": given})
            assert answer.status_code == 412, (method, given)
        nothing = await http.request(method, "/projection/F2/PD2024", json=body, headers={"If-None-Match": "*"})
        assert nothing.status_code == 404
    other = await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 1}, headers={"If-None-Match": '"2"'})
    assert other.status_code == 200


async def test_of_many_that_create_at_once_each_only_if_absent_one_does(http: httpx.AsyncClient) -> None:
    create = {"json": BODY, "headers": {"If-None-Match": "*"}}
    answers = await asyncio.gather(*(http.post("/projection", **create) for _ in range(10)))  # type: ignore[arg-type]
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_of_many_that_change_one_version_at_once_one_does(http: httpx.AsyncClient) -> None:
    await http.post("/projection", json=BODY)
    answers = await asyncio.gather(
        *(
            http.put("/projection/F1/PD2024", json={"TotalInputTPM": number}, headers={"If-Match": '"1", "9"'})
            for number in range(1, 11)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_a_put_that_changes_nothing_makes_no_version(http: httpx.AsyncClient, published: Published) -> None:
    read = (await http.post("/projection", json=BODY)).json()
    for body in (read, {"TotalInputTPM": "50000"}, {}, {"ManualOverride": None}):
        answer = await http.put("/projection/F1/PD2024", json=body)
        assert (answer.status_code, answer.json()["VersionId"]) == (200, 1)
    assert len(await published("F1#PD2024#Peak")) == 1


async def test_the_reason_and_the_person_are_kept_with_the_version(http: httpx.AsyncClient) -> None:
    audit = {"Message": "CloudTune says so", "User": "jsmith", "Timestamp": "not even a time"}
    made = await http.post("/projection", json={**BODY, "AuditMetadata": audit})
    assert made.json()["AuditMetadata"] == {
        "Message": "CloudTune says so",
        "User": "jsmith",
        "Timestamp": "2024-06-15T09:00:00.000Z",
    }
    changed = await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 1}, headers={"X-Epic-User": "ann"})
    assert changed.json()["AuditMetadata"]["User"] == "ann"


async def test_lists_and_histories_are_paged_to_their_end(http: httpx.AsyncClient) -> None:
    for number in range(5):
        await http.post("/projection", json={**BODY, "FleetId": f"F{number}"})
        await http.put("/projection/F0/PD2024", json={"TotalInputTPM": number})
    await http.post("/projection", json={**BODY, "EventId": "other"})
    for path, name, wanted in (
        ("/projection?EventId=PD2024", "FleetId", ["F0", "F1", "F2", "F3", "F4"]),
        ("/projection/F0/PD2024/versions?", "VersionId", [6, 5, 4, 3, 2, 1]),
    ):
        seen, cursor = [], ""
        while True:
            page = (await http.get(f"{path}&Limit=2{cursor}")).json()
            assert len(page["Items"]) <= 2
            seen += [item[name] for item in page["Items"]]
            if page["NextCursor"] is None:
                break
            cursor = f"&Cursor={page['NextCursor']}"
        assert seen == wanted


async def test_one_version_can_be_read_and_zero_is_the_latest(http: httpx.AsyncClient) -> None:
    await http.post("/projection", json=BODY)
    await http.put("/projection/F1/PD2024", json={"TotalInputTPM": 1})
    first = (await http.get("/projection/F1/PD2024/versions/1")).json()
    assert (first["VersionId"], first["TotalInputTPM"], "LatestVersionId" in first) == (1, 50000, False)
    assert (await http.get("/projection/F1/PD2024/versions/0")).json()["VersionId"] == 2
    assert (await http.get("/projection/F1/PD2024/versions/9")).status_code == 404
    assert (await http.get("/projection/F9/PD2024/versions")).status_code == 404


async def test_an_update_that_names_another_document_needs_that_it_exists(http: httpx.AsyncClient) -> None:
    assert (await http.post("/note", json={"NoteId": "N1"})).status_code == 200
    refused = await http.put("/note/N1", json={"FleetId": "F9"})
    assert (refused.status_code, refused.json()["detail"]) == (404, "there is no Fleet F9; create it first")
    assert (await http.put("/note/N1", json={"FleetId": 9})).status_code == 400
    assert (await http.put("/note/NONE", json={"FleetId": "F9"})).json()["detail"] == "there is no Note NONE"
    assert (await http.put("/note/N1", json={"FleetId": "F1"})).json()["FleetId"] == "F1"
    assert (await http.put("/note/N1", json={"FleetId": None})).status_code == 200
    assert "FleetId" not in (await http.get("/note/N1")).json()


async def test_an_update_that_leaves_a_reference_alone_does_not_look_for_it(
    http: httpx.AsyncClient, declared: Declared
) -> None:
    await http.post("/note", json={"NoteId": "N1", "FleetId": "F1"})
    await http.delete("/fleet/F1")
    read = (await http.get("/note/N1")).json()
    assert (await http.put("/note/N1", json={"Text": "kept"})).status_code == 200
    assert (await http.put("/note/N1", json={"FleetId": "F1", "Text": "as it was"})).status_code == 200
    assert read["FleetId"] == "F1"

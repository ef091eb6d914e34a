"""Members of a read that another document of the same store is needed for, shown on a small resource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from shared.documents import Document
from shared.documents.sqlite import SqliteStore
from shared.documents.sqlite.documents import SqliteDocuments
from shared.resources import Beside, Declared, Resource
from shared.schemas.base import Count, Id, Snapshot, WireModel
from shared.schemas.fleet_svc.projection import PROJECTION, Projection
from shared.schemas.resource_contract import ResourceContract
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.http import app_of, calling, version_of

PROJECTIONS = Resource(contract=PROJECTION, path="/projection")
TPM = {"FleetId": "F1", "EventId": "PD2024", "TotalInputTPM": 50000}
SHARE = {"FleetId": "F1", "EventId": "PD2024", "Client": "Checkout", "Given": 20000}


class Share(WireModel):
    fleet_id: Id
    event_id: Id
    client: Id
    given: Count


class ShareRead(Share, Snapshot):
    left: Count | None = None


def _left(share: Share, projection: Projection | None) -> dict[str, Any]:
    peak_tpm = None if projection is None else projection.peak_tpm
    return {} if peak_tpm is None else {"Left": peak_tpm - share.given}


SHARES = Resource(
    contract=ResourceContract(
        model=Share, owner="fleet_svc", key=("FleetId", "EventId", "Client"), given_read=ShareRead
    ),
    path="/share",
    filters=("Client",),
    sort=("Given",),
    beside=Beside(contract=PROJECTION, show=_left),
)


@pytest.fixture
def declared(store: SqliteStore, clock: FixedClock) -> Declared:
    return Declared([SHARES, PROJECTIONS], store, clock)


@pytest.fixture
async def http(store: SqliteStore, declared: Declared) -> AsyncIterator[httpx.AsyncClient]:
    await store.start()
    async with calling(app_of(*declared.routes())) as client:
        yield client


async def test_a_read_shows_it_as_the_other_document_is_now(http: httpx.AsyncClient) -> None:
    made = await http.post("/share", json=SHARE)
    assert "Left" not in made.json()
    await http.post("/projection", json=TPM)
    read = await http.get("/share/F1/PD2024/Checkout")
    assert (read.json()["Left"], version_of(read)) == (30000, 1)
    await http.put("/projection/F1/PD2024", json={"ManualOverride": 60000})
    changed = await http.get("/share/F1/PD2024/Checkout", headers={"If-None-Match": read.headers["etag"]})
    assert (changed.status_code, changed.json()["Left"]) == (200, 40000)
    again = await http.get("/share/F1/PD2024/Checkout", headers={"If-None-Match": changed.headers["etag"]})
    assert again.status_code == 304
    assert (await http.put("/share/F1/PD2024/Checkout", json={"Given": 5})).json()["Left"] == 59995
    await http.delete("/projection/F1/PD2024")
    assert "Left" not in (await http.get("/share/F1/PD2024/Checkout")).json()


async def test_a_write_is_judged_by_the_tag_that_a_read_gave(http: httpx.AsyncClient) -> None:
    await http.post("/projection", json=TPM)
    tag = (await http.post("/share", json=SHARE)).headers["etag"]
    for method, path, body in (
        ("PUT", "/share/F1/PD2024/Checkout", {"Given": 1}),
        ("DELETE", "/share/F1/PD2024/Checkout", None),
        ("POST", "/share", SHARE),
    ):
        held = await http.request(method, path, json=body, headers={"If-None-Match": tag})
        assert held.status_code == 412, method
    await http.put("/projection/F1/PD2024", json={"ManualOverride": 60000})
    matched = await http.put("/share/F1/PD2024/Checkout", json={"Given": 2}, headers={"If-Match": tag})
    assert matched.status_code == 200, "If-Match is about the version alone"
    free = await http.put("/share/F1/PD2024/Checkout", json={"Given": 3}, headers={"If-None-Match": tag})
    assert free.status_code == 200


async def test_old_versions_and_events_do_not_hold_it(http: httpx.AsyncClient, published: Published) -> None:
    await http.post("/projection", json=TPM)
    made = (await http.post("/share", json=SHARE)).json()
    assert made["Left"] == 30000
    assert (await http.put("/share/F1/PD2024/Checkout", json=made)).json() == made, "it may be sent back as it was read"
    assert "Left" not in (await http.get("/share/F1/PD2024/Checkout/versions/1")).json()
    assert "Left" not in (await http.get("/share/F1/PD2024/Checkout/versions")).json()["Items"][0]
    assert (await http.get("/share/F1/PD2024/Checkout/versions/0")).json()["Left"] == 30000
    deleted = (await http.delete("/share/F1/PD2024/Checkout")).json()
    assert "Left" not in deleted
    assert all("Left" not in message.body() for message in await published("F1#PD2024#Checkout"))


@pytest.mark.parametrize("query", ["", "?Sort=-Given"])
async def test_a_page_costs_one_read_of_the_others(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    for number in range(1, 6):
        fleet = {"FleetId": f"F{number}"}
        await http.post("/projection", json={**TPM, **fleet, "TotalInputTPM": 20000 + number})
        await http.post("/share", json={**SHARE, **fleet})
    reads = list[Sequence[str]]()
    read_many = SqliteDocuments.latest_many

    async def counted(self: SqliteDocuments, keys: Sequence[str]) -> dict[str, Document]:
        reads.append(keys)
        return await read_many(self, keys)

    monkeypatch.setattr(SqliteDocuments, "latest_many", counted)
    items = (await http.get(f"/share{query}")).json()["Items"]
    assert sorted(item["Left"] for item in items) == [1, 2, 3, 4, 5]
    assert [sorted(keys) for keys in reads] == [[f"F{number}#PD2024#Peak" for number in range(1, 6)]]

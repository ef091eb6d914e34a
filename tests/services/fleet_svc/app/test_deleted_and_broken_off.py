"""Fleets that go, and what a process that died half-way left of a fleet and its lines."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.app.mend_lines import mend_lines
from shared.documents.sqlite.documents import SqliteDocuments
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import BARE, FailingAt, ok

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("finished_by", ["the same key", "the same body", "the next start"])
async def test_a_crash_between_the_two_is_finished(
    http: httpx.AsyncClient,
    fleets: Fleets,
    clock: FixedClock,
    published: Published,
    failing_at: FailingAt,
    finished_by: str,
) -> None:
    key = {"Idempotency-Key": "k"}
    with failing_at("F1#PD"):
        assert (await http.post("/fleet", json={**BARE, "EventId": "PD"}, headers=key)).status_code == 500
    if finished_by == "the same key":
        assert (await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}, headers=key)))["EventId"] == "PD"
    elif finished_by == "the same body":
        assert (await http.post("/fleet", json={**BARE, "EventId": "PD"})).status_code == 409
    else:
        await mend_lines(clock, fleets=fleets)
        await mend_lines(clock, fleets=fleets)
    line = await http.get("/fleet/F1/PD")
    assert (line.headers["etag"], line.json()["EventId"], line.json()["BaseVersionId"]) == ('"1"', "PD", 1)
    assert len(await published("F1#PD")) == 1


async def test_a_deleted_fleet_takes_its_lines_with_it_and_comes_back_without_them(
    http: httpx.AsyncClient, published: Published
) -> None:
    await ok(http.post("/fleet", json={**BARE, "EventId": "PD"}))
    assert (await ok(http.delete("/fleet/F1")))["Deleted"] is True
    assert (await http.get("/fleet/F1")).status_code == 404
    assert (await http.get("/fleet/F1/PD")).status_code == 404
    for body in ({}, {"ServiceId": "S2"}):
        assert (await http.put("/fleet/F1/PD", json=body)).status_code == 404
    assert (await http.delete("/fleet/F1")).status_code == 404
    assert [item["VersionId"] for item in (await ok(http.get("/fleet/F1/versions")))["Items"]] == [2, 1]
    assert [item["VersionId"] for item in (await ok(http.get("/fleet/F1/PD/versions")))["Items"]] == [2, 1]
    await ok(http.post("/fleet", json=BARE))
    assert (await http.get("/fleet/F1/PD")).headers["etag"] == '"base-3"'
    assert [message.topic for message in await published("F1#PD")] == ["fleet.created", "fleet.deleted"]


async def test_lines_left_by_a_broken_off_deletion_go_with_the_next_start_or_creation(
    http: httpx.AsyncClient, fleets: Fleets, clock: FixedClock, failing_at: FailingAt
) -> None:
    for fleet_id in ("F1", "F2"):
        await ok(http.post("/fleet", json={**BARE, "FleetId": fleet_id, "EventId": "PD"}))
        with failing_at(f"{fleet_id}#PD"):
            assert (await http.delete(f"/fleet/{fleet_id}")).status_code == 500
    await ok(http.post("/fleet", json=BARE))
    assert (await http.get("/fleet/F1/PD")).headers["etag"] == '"base-3"'
    await mend_lines(clock, fleets=fleets)
    assert await fleets.lines.latest("F2#PD") is None


async def test_a_line_begun_while_its_fleet_is_deleted_does_not_stay(
    http: httpx.AsyncClient, fleets: Fleets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ok(http.post("/fleet", json=BARE))
    plain = SqliteDocuments.update

    async def deleted_meanwhile(documents: SqliteDocuments, key: str, *args: Any, **options: Any) -> Any:
        if key == "F1#PD" and await fleets.bases.latest("F1") is not None:
            assert (await http.delete("/fleet/F1")).status_code == 200
        return await plain(documents, key, *args, **options)

    monkeypatch.setattr(SqliteDocuments, "update", deleted_meanwhile)
    assert (await http.put("/fleet/F1/PD", json={"ServiceId": "S1"})).status_code == 404
    assert await fleets.lines.latest("F1#PD") is None

"""Tickets over HTTP: their ids, and comments that are only added to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.notify_svc.resources import RESOURCES
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from tests.support.clock import FixedClock
from tests.support.fixtures import Published
from tests.support.fleet import ok
from tests.support.http import app_of, calling, pointers

ANN, BOB = {"X-Epic-User": "ann"}, {"X-Epic-User": "bob"}
PATH = "/ticket/SIM-7"


@pytest.fixture
async def http(store: SqliteStore, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    declared = Declared(RESOURCES, store, clock)
    await store.start()
    async with calling(app_of(*declared.routes())) as client:
        yield client


@pytest.fixture
async def made(http: httpx.AsyncClient) -> dict[str, Any]:
    body = {"TicketId": "SIM-7", "Title": "No hosts", "Comments": [{"Text": "opened"}]}
    return await ok(http.post("/ticket", json=body, headers=ANN))


async def test_an_id_is_assigned_or_taken_as_given(http: httpx.AsyncClient, made: dict[str, Any]) -> None:
    """4.580."""
    assert made["TicketId"] == "SIM-7"
    assigned = await ok(http.post("/ticket", json={"Title": "Another"}))
    assert assigned["TicketId"] not in ("", "SIM-7")
    for ticket in (made, assigned):
        assert await ok(http.get(f"/ticket/{ticket['TicketId']}")) == ticket
    assert (await http.post("/ticket", json={"TicketId": "SIM-7", "Title": "Again"})).status_code == 409
    assert pointers(await http.post("/ticket", json={"TicketId": "SIM/7", "Title": "Bad"})) == ["/TicketId"]


async def test_a_list_is_filtered_by_severity_and_by_nothing_that_is_none(http: httpx.AsyncClient) -> None:
    """8.4.6."""
    for severity in (1, 2, 2):
        await ok(http.post("/ticket", json={"Title": f"Sev{severity}", "Severity": severity}))
    found = await ok(http.get("/ticket", params={"Severity": "2", "Status": "Open"}))
    assert [ticket["Title"] for ticket in found["Items"]] == ["Sev2", "Sev2"]
    bad = await http.get("/ticket", params={"Severity": "6", "Status": "Away", "EventId": "a b"})
    assert (bad.status_code, set(pointers(bad))) == (400, {"/Severity", "/Status", "/EventId"})


@pytest.mark.parametrize("comments", [None, [], [{"User": "ann", "Text": "opened"}]])
async def test_no_comment_is_removed(http: httpx.AsyncClient, made: dict[str, Any], comments: object) -> None:
    """4.581c."""
    changed = await ok(http.put(PATH, json={"Title": "Hosts", "Comments": comments}, headers=BOB))
    assert (changed["Title"], changed["Comments"]) == ("Hosts", made["Comments"])
    assert (await http.put(PATH, json={"Comments": comments}, headers=BOB)).headers["etag"] == '"2"'


async def test_a_put_adds_the_comments_that_are_not_there_yet(
    http: httpx.AsyncClient, made: dict[str, Any], clock: FixedClock
) -> None:
    """4.581b. The same request again adds nothing, nor does a ticket that is sent back as it was read."""
    clock.advance(timedelta(hours=1))
    imported = {"User": "eve", "Timestamp": "2024-06-01T10:00:00.1234Z", "Text": "opened"}
    body = {"Comments": [{"Text": "opened"}, imported, {"Text": "opened"}]}
    first = await ok(http.put(PATH, json=body, headers=BOB))
    assert first["Comments"] == [
        {"User": "ann", "Timestamp": "2024-06-15T09:00:00.000Z", "Text": "opened"},
        {"User": "bob", "Timestamp": "2024-06-15T10:00:00.000Z", "Text": "opened"},
        {"User": "eve", "Timestamp": "2024-06-01T10:00:00.123Z", "Text": "opened"},
    ]
    clock.advance(timedelta(hours=1))
    assert await ok(http.put(PATH, json=body, headers=BOB)) == first
    assert await ok(http.put(PATH, json=first, headers=ANN)) == first
    more = {**first, "Comments": [*first["Comments"], {"Text": "closed"}], "Status": "Closed"}
    last = await ok(http.put(PATH, json=more, headers=ANN))
    assert last["Comments"][3] == {"User": "ann", "Timestamp": "2024-06-15T11:00:00.000Z", "Text": "closed"}
    assert last["Comments"][:3] == first["Comments"]


async def test_a_comment_is_added_by_itself(
    http: httpx.AsyncClient, made: dict[str, Any], published: Published, clock: FixedClock
) -> None:
    """4.246, 4.581a."""
    comment = {"User": "bob", "Timestamp": "2024-06-15T09:00:00.000Z", "Text": "still no hosts"}
    for count in (1, 2):
        answer = await http.post(f"{PATH}/comment", json={"Text": "still no hosts"}, headers=BOB)
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{count + 1}"')
        assert answer.json()["Comments"] == [*made["Comments"], *[comment] * count]
    assert [message.type for message in await published("SIM-7")] == ["ticket.created", *["ticket.updated"] * 2]
    assert (await http.post("/ticket/NONE/comment", json={"Text": "x"})).status_code == 404
    assert pointers(await http.post(f"{PATH}/comment", json={})) == ["/Text"]
    escalated = await ok(http.put(f"{PATH}/escalate", json={}, headers=ANN))
    assert len(escalated["Comments"]) == 4

"""A member that lies beside the versions, shown on a small resource: crashes between the part and the version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.cause import Cause
from shared.documents import Documents, Written
from shared.documents.contract import UpdateFn
from shared.documents.sqlite import SqliteStore
from shared.errors import Unavailable
from shared.resources import Apart, Declared, Resource, ResourcesApart
from shared.schemas.base import Count, Id, Name, Snapshot, Text, WireModel
from shared.schemas.resource_contract import ResourceContract
from tests.support.clock import FixedClock
from tests.support.http import app_of, calling, version_of


class Note(WireModel):
    note_id: Id
    author: Name | None = None
    content: Text
    length: Count | None = None


class NoteSnapshot(Snapshot):
    note_id: Id
    author: Name | None = None
    length: Count


class NoteRead(NoteSnapshot):
    content: Text | None = None


NOTES = Resource(
    contract=ResourceContract(
        model=Note,
        owner="fleet_svc",
        key=("NoteId",),
        managed=("length",),
        given_snapshot=NoteSnapshot,
        given_read=NoteRead,
    ),
    path="/note",
    apart=Apart(
        member="Content", pack=str.encode, unpack=bytes.decode, describe=lambda content: {"Length": len(content)}
    ),
)


class Dying:
    """Documents whose writes are done, and end as if the connection had broken before the answer."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    async def update(self, key: str, fn: UpdateFn, cause: Cause) -> Written:
        await self._documents.update(key, fn, cause)
        raise Unavailable("the connection broke")


@pytest.fixture
def declared(store: SqliteStore, clock: FixedClock) -> Declared:
    return Declared([NOTES], store, clock)


@pytest.fixture
def notes(declared: Declared) -> ResourcesApart[Any]:
    return declared.apart("Note")


@pytest.fixture
async def http(store: SqliteStore, declared: Declared) -> AsyncIterator[httpx.AsyncClient]:
    await store.start()
    async with calling(app_of(*declared.routes())) as client:
        yield client


async def parts(store: SqliteStore) -> int:
    return len(await store._file.rows("SELECT number FROM parts"))


async def test_a_change_of_another_member_stores_no_part(http: httpx.AsyncClient, store: SqliteStore) -> None:
    await http.post("/note", json={"NoteId": "N1", "Content": "first"})
    changed = await http.put("/note/N1", json={"Author": "ann"})
    assert (changed.json()["Content"], version_of(changed)) == ("first", 2)
    assert await parts(store) == 1


async def test_a_write_whose_outcome_is_not_known_keeps_its_part(
    http: httpx.AsyncClient, notes: ResourcesApart[Any]
) -> None:
    """The version may have been written: without the part it would have lost its value."""
    await http.post("/note", json={"NoteId": "N1", "Content": "first"})
    documents = notes.documents
    notes.documents = Dying(documents)  # type: ignore[assignment]
    assert (await http.put("/note/N1", json={"Content": "second"})).status_code == 503
    notes.documents = documents
    read = await http.get("/note/N1")
    assert (read.json()["Content"], read.json()["Length"], version_of(read)) == ("second", 6, 2)


async def test_a_value_is_a_versions_own_also_after_its_deletion(http: httpx.AsyncClient) -> None:
    await http.post("/note", json={"NoteId": "N1", "Content": "first"})
    deleted = await http.delete("/note/N1")
    assert (deleted.json()["Deleted"], deleted.json()["Content"]) == (True, "first")
    again = await http.post("/note", json={"NoteId": "N1", "Content": "second"})
    assert version_of(again) == 3
    shown = [(await http.get(f"/note/N1/versions/{number}")).json()["Content"] for number in (1, 2, 3)]
    assert shown == ["first", "first", "second"]


async def test_the_difference_of_two_versions_shows_the_values(http: httpx.AsyncClient) -> None:
    await http.post("/note", json={"NoteId": "N1", "Content": "first"})
    await http.put("/note/N1", json={"Content": "second"})
    patch = (await http.get("/note/N1/versions/1/diff/2")).json()["Patch"]
    assert {"op": "replace", "path": "/Content", "value": "second"} in patch

"""Deleted documents are purged with their versions, alike in every store."""

from __future__ import annotations

import pytest

from shared.documents import Change, Documents, OutgoingEvent
from tests.support.document_stores import Backend, adding, cause, setting


async def deleted(documents: Documents, key: str, day: str, versions: int = 2) -> None:
    for number in range(versions):
        change = setting({"Date": day, "Count": number})
        await documents.update(key, lambda _, change=change: change, cause())  # type: ignore[misc]
    await documents.update(key, lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())


async def test_purged_documents_are_gone_with_their_versions_and_others_stay(backend: Backend) -> None:
    store, documents = await backend.open(filters=("Date",))
    for key, day in (("A", "2024-05-01"), ("B", "2024-05-02"), ("C", "2024-05-03")):
        await deleted(documents, key, day)
    await documents.update("D", lambda _: setting({"Date": "2024-05-01"}), cause())
    await store.drain()
    assert await documents.purge({"Date": ["2024-05-01", "2024-05-02"]}) == 2
    assert await documents.purge({"Date": ["2024-05-01", "2024-05-02"]}) == 0
    for key in ("A", "B"):
        assert (await documents.history(key)).items == []
        assert await documents.versions([(key, 1), (key, 3)]) == {}
    assert [one.version for one in (await documents.history("C")).items] == [3, 2, 1]
    assert (await documents.latest("D")) is not None


async def test_a_document_stays_until_its_deletion_is_published(backend: Backend) -> None:
    store, documents = await backend.open(filters=("Date",))
    await deleted(documents, "A", "2024-05-01", versions=1)
    await store.drain()
    backend.broker.away = True
    await deleted(documents, "B", "2024-05-01")
    assert await documents.purge({"Date": "2024-05-01"}) == 1
    assert [one.version for one in (await documents.history("B")).items] == [3, 2, 1]
    backend.broker.away = False
    await store.drain()
    assert backend.broker.first_versions("B") == [1, 2, 3]
    assert await documents.purge({"Date": "2024-05-01"}) == 1
    assert (await documents.history("B")).items == []


async def test_many_are_purged_in_several_steps(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mongo", "sqlite"):
        monkeypatch.setattr(f"shared.documents.{module}.documents._BATCH", 2)
    store, documents = await backend.open(filters=("Date",))
    for number in range(5):
        await deleted(documents, f"A{number}", "2024-05-01")
    await store.drain()
    assert await documents.purge({"Date": "2024-05-01"}) == 5


async def test_a_document_made_again_begins_anew(backend: Backend) -> None:
    store, documents = await backend.open(filters=("Date",))
    await deleted(documents, "A", "2024-05-01")
    await store.drain()
    await documents.purge({"Date": "2024-05-01"})
    assert (await documents.update("A", adding(), cause())).document.version == 1

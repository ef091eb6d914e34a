"""A dry store: what a write would come to, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.documents.dry import DryDocuments
from shared.durability.outbox import OutboxState
from shared.errors import Conflict, NotFound
from tests.support.document_stores import Backend, adding, cause, creating, nothing_is_open, setting


async def test_a_dry_write_is_decided_and_not_kept(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "thing.db", "")
    store, documents = await backend.open()
    dry = DryDocuments(documents)
    await documents.update("t1", adding(), cause("first"))
    await nothing_is_open(store)
    written = await dry.update("t1", adding(), cause("second"))
    assert (written.document.version, written.document.state) == (2, {"Count": 2})
    assert (await dry.update("new", creating({"Count": 7}), cause("third"))).document.version == 1
    assert await dry.create_many([("t1", {}), ("t2", {}), ("t2", {})], "thing.created", cause()) == ["t2"]

    def refused(_: object) -> None:
        raise Conflict("no")

    with pytest.raises(Conflict):
        await dry.update("t1", refused, cause("fourth"))
    with pytest.raises(NotFound):
        await dry.amend("none", lambda _: ({}, ()), cause("fifth"))
    latest = await dry.latest("t1")
    assert latest is not None
    assert (latest.version, latest.state) == (1, {"Count": 1})
    assert await documents.latest("new") is None
    assert await store.outbox() == OutboxState(0, None)
    # The causes of a dry run are free afterwards: the same request may be made in earnest.
    assert (await documents.update("t1", lambda _: setting({"Count": 9}), cause("second"))).document.version == 2
    await backend.close()

"""What a service keeps in a document for itself: members whose names begin with ``_``."""

from __future__ import annotations

from shared.documents import Change, Documents, OutgoingEvent, Store
from tests.support.broker import Broker
from tests.support.document_stores import cause, creating


async def test_a_services_own_memory_is_stored_and_neither_read_nor_published(
    store: Store, documents: Documents, broker: Broker
) -> None:
    await documents.update("F1", creating({"A": 1, "_Memory": {"B": [2]}}), cause())
    await documents.create_many([("F2", {"A": 1, "_Memory": {"B": [3]}})], "thing.created", cause())
    await documents.update(
        "F1", lambda present: Change({**present.state, "A": 2}, (OutgoingEvent("thing.updated"),)), cause()
    )
    found = await documents.latest_many(["F1", "F2"])
    assert {key: document.state["_Memory"] for key, document in found.items()} == {"F1": {"B": [2]}, "F2": {"B": [3]}}
    old = (await documents.history("F1")).items
    assert [document.state["_Memory"] for document in old] == [{"B": [2]}] * 2
    assert all("_Memory" not in document.wire() for document in (*found.values(), *old))
    await store.drain()
    assert [message.key for message in broker.taken if "_Memory" in message.body() or "A" not in message.body()] == []
    assert {message.id for message in broker.taken} == {
        "F1:1:thing.created",
        "F2:1:thing.created",
        "F1:2:thing.updated",
    }

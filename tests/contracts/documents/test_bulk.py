"""Bulk creation: each key once, each published, whoever else creates or writes at the same time."""

from __future__ import annotations

import asyncio

from shared.documents import Change, Documents, OutgoingEvent, Store
from tests.support.broker import Broker
from tests.support.document_stores import Backend, adding, cause, creating, nothing_is_open


async def test_what_is_there_is_left_alone(store: Store, documents: Documents, broker: Broker) -> None:
    await documents.update("F3", creating({"Number": -3}), cause())
    made = await documents.create_many(((f"F{n}", {"Number": n}) for n in range(6)), "thing.created", cause("c1"))
    assert sorted(made) == ["F0", "F1", "F2", "F4", "F5"]
    assert (await documents.latest("F3")).state == {"Number": -3}
    document = await documents.latest("F1")
    assert (document.version, document.state, document.created_by) == (1, {"Number": 1}, "ann")
    assert await documents.create_many([("F1", {"Number": 9}), ("F9", {})], "thing.created", cause("c1")) == ["F9"]
    await store.drain()
    assert {message.key for message in broker.taken} == {f"F{n}" for n in (0, 1, 2, 3, 4, 5, 9)}
    assert {message.id for message in broker.of("F1")} == {"F1:1:thing.created"}
    await nothing_is_open(store)


async def test_a_tombstone_is_no_document(store: Store, documents: Documents, broker: Broker) -> None:
    await documents.update("F1", creating({"A": 1}), cause())
    await documents.update("F1", lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause())
    states = [("F1", {"A": 2}), ("F2", {"A": 2})]
    assert await documents.create_many(states, "thing.created", cause(user="bob")) == ["F2", "F1"]
    latest = await documents.latest("F1")
    assert (latest.version, latest.user, latest.created_by) == (3, "bob", "ann")  # 3.18d
    await store.drain()
    assert [message.type for message in broker.of("F1")] == ["thing.created", "thing.deleted", "thing.created"]


async def test_a_key_given_twice_is_made_once(documents: Documents) -> None:
    assert await documents.create_many([("F1", {"A": 1}), ("F1", {"A": 2})], "thing.created", cause()) == ["F1"]
    assert (await documents.latest("F1")).state == {"A": 1}
    assert await documents.create_many([], "thing.created", cause()) == []


async def test_two_creators_make_and_publish_each_key_once(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]
    keys = [f"F{n:04}" for n in range(2500)]
    made = await asyncio.gather(
        replicas[0].create_many(((key, {"By": 0}) for key in keys), "thing.created", cause()),
        replicas[1].create_many(((key, {"By": 1}) for key in reversed(keys)), "thing.created", cause()),
    )
    assert sorted([*made[0], *made[1]]) == keys
    for by, mine in enumerate(made):
        found = await replicas[0].latest_many(mine)
        assert all(document.state == {"By": by} for document in found.values())
        assert len(found) == len(mine)
    for store in backend.stores:
        await store.drain()
    assert {message.key for message in backend.broker.taken} == set(keys)


async def test_a_version_made_meanwhile_is_published_after_the_first(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]
    keys = [f"F{n:04}" for n in range(80)]

    async def follow(documents: Documents) -> None:
        for key in keys:
            while await documents.latest(key) is None:
                await asyncio.sleep(0)
            await documents.update(key, adding(), cause())

    await asyncio.gather(
        replicas[0].create_many(((key, {"Count": 0}) for key in keys), "thing.created", cause()),
        *(follow(documents) for documents in replicas),
    )
    for store in backend.stores:
        await store.drain()
    for key in keys:
        assert (await replicas[0].latest(key)).state == {"Count": 2}
        assert backend.broker.first_versions(key) == [1, 2, 3]
        assert [item.version for item in (await replicas[0].history(key)).items] == [3, 2, 1]


async def test_a_broker_that_is_away_fails_no_creation(backend: Backend) -> None:
    store, documents = await backend.open()
    backend.broker.away = True
    made = await documents.create_many(((f"F{n}", {"Count": n}) for n in range(30)), "thing.created", cause())
    assert len(made) == 30
    await documents.update("F7", adding(), cause())
    assert (await store.outbox()).open >= 30
    backend.broker.away = False
    await store.drain()
    assert {message.key for message in backend.broker.taken} == set(made)
    assert backend.broker.first_versions("F7") == [1, 2]
    await nothing_is_open(store)


async def test_the_first_version_of_a_bulk_creation_is_in_the_history(documents: Documents) -> None:
    await documents.create_many([("F1", {"Count": 0})], "thing.created", cause())
    assert (await documents.version("F1", 1)).state == {"Count": 0}
    await documents.update("F1", adding(), cause())
    assert [item.state for item in (await documents.history("F1")).items] == [{"Count": 1}, {"Count": 0}]

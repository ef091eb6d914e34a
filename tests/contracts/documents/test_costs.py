"""What reads and writes cost the database, in commands, however long a history is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pymongo.monitoring
import pytest

from shared.documents import Documents, Store
from shared.envelope import Message
from tests.support.broker import Broker
from tests.support.document_stores import NOW, Backend, adding, cause, on_mongo_only
from tests.support.waiting import until

_NOISE = {"hello", "isMaster", "ismaster", "endSessions", "ping"}


class Commands(pymongo.monitoring.CommandListener):
    """The commands MongoDB was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []
        self.listening = False

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        asked = event.command.get("filter")
        if self.listening and event.command_name not in _NOISE and "Since" not in str(asked):  # the sweeper's looks
            self.sent.append((event.command_name, asked))

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...

    @contextmanager
    def counted(self) -> Iterator[list[tuple[str, object]]]:
        self.sent, self.listening = [], True
        yield self.sent
        self.listening = False


class Statements:
    """The statements SQLite was given by readers."""

    def __init__(self, store: Store) -> None:
        self._file = store._file  # type: ignore[attr-defined]

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        sent: list[str] = []
        connections = [self._file._own, *self._file._opened]
        for connection in connections:
            connection.set_trace_callback(lambda sql: sent.append(sql) if sql not in ("BEGIN", "COMMIT") else None)
        yield sent
        for connection in connections:
            connection.set_trace_callback(None)


class Gate:
    """A way to the broker that can be closed: what is published meanwhile waits."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._open = asyncio.Event()
        self._open.set()

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        await self._open.wait()
        return await self._broker.publish(messages)

    @contextmanager
    def closed(self) -> Iterator[None]:
        self._open.clear()
        yield
        self._open.set()


@pytest.fixture
def gate(broker: Broker) -> Gate:
    return Gate(broker)


@pytest.fixture
async def counter(backend: Backend, gate: Gate) -> Commands | Statements:
    if backend.is_mongo:
        listener = Commands()
        pymongo.monitoring.register(listener)
        try:
            await backend.open(gate.publish, sweep_after=3600)
        finally:
            pymongo.monitoring._LISTENERS.command_listeners.remove(listener)
        return listener
    store, documents = await backend.open(gate.publish, sweep_after=3600)

    async def both_threads_read() -> bool:
        await asyncio.gather(*(documents.list() for _ in range(4)))
        return len(store._file._opened) == 2  # type: ignore[attr-defined]

    await until(both_threads_read, "both reading threads have begun")
    return Statements(store)


async def with_history(backend: Backend, key: str, versions: int) -> Documents:
    documents = backend.stores[0].documents("thing")
    for _ in range(versions):
        await documents.update(key, adding(), cause())
    await backend.stores[0].drain()
    return documents


def by_thing(sent: list) -> list:
    return [command for command in sent if "outbox" not in str(command)]  # the relay looks for itself meanwhile


async def test_the_latest_is_one_read_by_key(backend: Backend, counter: Commands | Statements) -> None:
    documents = await with_history(backend, "F1", 120)
    with counter.counted() as sent:
        assert (await documents.latest("F1")).version == 120
    assert len(by_thing(sent)) == 1
    if backend.is_mongo:
        assert sent == [("find", {"_id": "F1"})]


async def test_the_latest_of_a_thousand_is_one_read(backend: Backend, counter: Commands | Statements) -> None:
    """3.21d, however long the history of one of them."""
    documents = await with_history(backend, "F1", 120)
    keys = ["F1", "nothing", *(f"G{number:03d}" for number in range(998))]
    await documents.create_many(((key, {"Count": 1}) for key in keys[2:]), "thing.created", cause())
    await backend.stores[0].drain()
    with counter.counted() as sent:
        found = await documents.latest_many(keys)
    assert list(found) == [key for key in keys if key != "nothing"]
    assert (found["F1"].version, found["G997"].version, len(by_thing(sent))) == (120, 1, 1)


async def test_an_old_version_and_a_page_of_history_are_two_reads(
    backend: Backend, counter: Commands | Statements
) -> None:
    documents = await with_history(backend, "F1", 120)
    with counter.counted() as sent:
        assert (await documents.version("F1", 60)).state == {"Count": 60}
    assert len(by_thing(sent)) == 2
    with counter.counted() as sent:
        assert len((await documents.history("F1", before=50, limit=20)).items) == 20
    assert len(by_thing(sent)) == 2


async def test_the_versions_at_an_instant_cost_two_reads_for_each_doubling(
    backend: Backend, counter: Commands | Statements
) -> None:
    """And one for all that were not written since, however many documents are asked for."""
    documents = backend.stores[0].documents("thing")
    for number in range(64):
        for key in ("F1", "F2"):
            await documents.update(key, adding(), replace(cause(), now=NOW + timedelta(seconds=number)))
    keys = ["F1", "F2", *(f"G{number}" for number in range(200))]
    await documents.create_many(((key, {"Count": 1}) for key in keys[2:]), "thing.created", cause())
    await backend.stores[0].drain()
    with counter.counted() as sent:
        found = await documents.versions_at(keys, NOW + timedelta(seconds=63))
    assert (len(found), found["F1"].version, len(by_thing(sent))) == (202, 64, 1)
    with counter.counted() as sent:
        found = await documents.versions_at(keys, NOW + timedelta(seconds=20))
    assert (len(found), found["F1"].version, found["F2"].version) == (202, 21, 21)
    assert len(by_thing(sent)) <= 1 + 2 * 6


@on_mongo_only
async def test_reads_that_wait_together_are_one(backend: Backend, counter: Commands | Statements) -> None:
    documents = await with_history(backend, "F1", 2)
    await with_history(backend, "F2", 1)
    with counter.counted() as sent:
        found = await asyncio.gather(*(documents.latest(key) for key in ("F1", "F2", "F1", "none")))
    assert [document and document.version for document in found] == [2, 1, 2, None]
    assert len(sent) == 1
    found[0].state["Count"] = 99
    assert found[2].state == {"Count": 2}


@on_mongo_only
async def test_a_write_waits_for_two_commands_and_what_follows_goes_in_batches(
    backend: Backend, counter: Commands | Statements, gate: Gate
) -> None:
    documents = await with_history(backend, "F1", 3)
    with counter.counted() as sent:
        await documents.update("F1", adding(), cause())
        assert [name for name, _ in sent][:2] == ["find", "update"]  # type: ignore[str-unpack]
    await backend.stores[0].drain()
    with counter.counted() as sent:
        with gate.closed():  # however long the hundred take, they are published together
            await asyncio.gather(*(documents.update(f"G{n}", adding(), cause(f"c{n}")) for n in range(100)))
        await backend.stores[0].drain()
    assert len(sent) < 100 + 40  # an insert each, and the rest of it together


@on_mongo_only
async def test_most_of_a_thousand_is_written_with_few_commands(
    backend: Backend, counter: Commands | Statements
) -> None:
    documents = backend.stores[0].documents("thing")
    with counter.counted() as sent:
        await documents.create_many(((f"F{n}", {"Count": 0}) for n in range(1000)), "thing.created", cause())
    assert len(sent) <= 8


async def test_a_page_of_a_sorted_list_is_a_few_reads_by_an_index(backend: Backend, gate: Gate) -> None:
    listener = Commands()
    pymongo.monitoring.register(listener)
    try:
        store, documents = await backend.open(gate.publish, sweep_after=3600, filters=("Rank",))
    finally:
        pymongo.monitoring._LISTENERS.command_listeners.remove(listener)
    ranks = [None, *range(9)]
    await documents.create_many(
        ((f"F{n}", {} if rank is None else {"Rank": rank}) for n, rank in enumerate(ranks)), "thing.created", cause()
    )
    await store.drain()
    for descending in (False, True):
        after = None
        for _ in range(2):
            if backend.is_mongo:
                with listener.counted() as sent:
                    page = await documents.list_sorted("Rank", descending=descending, after=after, limit=4)
                assert [command for command, _ in sent] == ["find"] * (1 if after is None else 2)
            else:
                with Statements(store).counted() as sql:
                    page = await documents.list_sorted("Rank", descending=descending, after=after, limit=4)
                    await documents.latest("F1")  # on this thread, so that something is counted whoever read the page
                file = store._file  # type: ignore[attr-defined]
                for statement in by_thing(sql):
                    plan = str([tuple(row) for row in await file.rows(f"EXPLAIN QUERY PLAN {statement}", ())])
                    assert ("USING INDEX" in plan, "TEMP B-TREE" in plan) == (True, False), plan
            after = page.next_after

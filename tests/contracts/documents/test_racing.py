"""Racing writers lose nothing and never share a version number."""

from __future__ import annotations

import asyncio
import random

from shared.documents import Change, Document, Documents, OutgoingEvent
from shared.errors import Conflict, Refused
from tests.support.document_stores import Backend, adding, cause, creating, nothing_is_open


async def all_published(backend: Backend, key: str, versions: int) -> None:
    for store in backend.stores:
        await store.drain()
    assert sorted(set(backend.broker.versions(key))) == list(range(1, versions + 1))
    assert backend.broker.first_versions(key) == list(range(1, versions + 1))
    await nothing_is_open(backend.stores[0])


async def test_twenty_writers_on_two_replicas_lose_nothing(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]

    async def write(number: int) -> list[int]:
        documents = replicas[number % 2]
        return [(await documents.update("F1", adding(), cause(f"{number}/{n}"))).document.version for n in range(5)]

    versions = [version for made in await asyncio.gather(*map(write, range(20))) for version in made]
    assert sorted(versions) == list(range(1, 101))
    latest = await replicas[0].latest("F1")
    assert (latest.version, latest.state) == (100, {"Count": 100})
    history = (await replicas[1].history("F1", limit=200)).items
    assert [(item.version, item.state["Count"]) for item in history] == [(n, n) for n in range(100, 0, -1)]
    await all_published(backend, "F1", 100)


async def test_of_twenty_creators_one_wins(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]

    def create(number: int):
        def make(present: Document | None) -> Change:
            if present is not None:
                raise Conflict("there")
            return Change({"By": number}, (OutgoingEvent("thing.created"),))

        return make

    outcomes = await asyncio.gather(
        *(replicas[n % 2].update("F1", create(n), cause()) for n in range(20)), return_exceptions=True
    )
    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(won) == 1
    assert all(isinstance(outcome, Refused) for outcome in outcomes if outcome not in won)
    assert (await replicas[1].latest("F1")).state == won[0].document.state
    await all_published(backend, "F1", 1)


async def test_conditional_writers_take_turns(backend: Backend) -> None:
    """Each reads, and writes only on what it read: an increment that was overwritten would be missing at the end."""
    replicas = [(await backend.open())[1] for _ in range(2)]
    await replicas[0].update("F1", creating({"Count": 0}), cause())

    async def increment(documents: Documents) -> None:
        while True:
            read = await documents.latest("F1")
            more = Change({"Count": read.state["Count"] + 1}, ())
            try:
                await documents.update("F1", lambda _, more=more: more, cause(), expected=read.version)  # type: ignore[misc]
            except Refused:
                continue
            return

    await asyncio.gather(*(increment(replicas[n % 2]) for n in range(20)))
    latest = await replicas[0].latest("F1")
    assert (latest.version, latest.state) == (21, {"Count": 20})


async def test_amendments_and_versions_do_not_undo_each_other(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]
    await replicas[0].update("F1", creating({"Count": 0}), cause())

    def amend(document: Document) -> tuple[dict, tuple]:
        return {"Times": document.side.get("Times", 0) + 1}, ()

    writes = [replicas[n % 2].update("F1", adding(), cause(f"u{n}")) for n in range(20)]
    writes += [replicas[n % 2].amend("F1", amend, cause(f"a{n}")) for n in range(20)]
    random.Random(1).shuffle(writes)
    await asyncio.gather(*writes)
    latest = await replicas[1].latest("F1")
    assert (latest.version, latest.state, latest.side) == (21, {"Count": 20}, {"Times": 20})
    assert [item.state["Count"] for item in (await replicas[0].history("F1")).items] == list(range(20, -1, -1))
    await all_published(backend, "F1", 21)


async def test_many_documents_at_once(backend: Backend) -> None:
    replicas = [(await backend.open())[1] for _ in range(2)]
    chance = random.Random(2)
    keys = [f"F{chance.randrange(40)}" for _ in range(300)]
    await asyncio.gather(
        *(replicas[number % 2].update(key, adding(), cause(f"c{number}")) for number, key in enumerate(keys))
    )
    for key in set(keys):
        assert (await replicas[0].latest(key)).state == {"Count": keys.count(key)}
        await all_published(backend, key, keys.count(key))

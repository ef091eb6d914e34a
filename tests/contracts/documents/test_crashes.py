"""A crash between any two steps is finished by the sweeper, or by the next write of the document.

Each workload is run again and again; the process dies one step later each time, until it gets through. Then another
replica redelivers the workload, and everything must be as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import pytest
import structlog

from shared.documents import Change, Documents, OutgoingEvent
from shared.errors import Refused
from tests.contracts.documents.crashing import Died, Faults, install
from tests.support.document_stores import Backend, adding, cause, nothing_is_open

Workload = Callable[[Documents, str], Awaitable[None]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A dead process complains a lot."""
    with structlog.testing.capture_logs():
        yield


async def updates(documents: Documents, key: str) -> None:
    """Created, changed, amended, refused, left alone, deleted and made anew."""
    await documents.update(key, adding(), cause(f"{key} 1"))
    await documents.update(key, adding(), cause(f"{key} 2"))
    await documents.amend(key, lambda d: ({"Times": d.side.get("Times", 0) + 1}, ()), cause(f"{key} 3"))
    with contextlib.suppress(Refused):
        await documents.update(key, adding(), cause(f"{key} 4"), expected=1)
    await documents.update(key, lambda _: None, cause(f"{key} 5"))
    await documents.update(key, lambda _: Change(None, (OutgoingEvent("thing.deleted"),)), cause(f"{key} 6"))
    await documents.update(key, adding(7), cause(f"{key} 7"))


async def bulk(documents: Documents, key: str) -> None:
    """Made in bulk beside one that is there, then changed."""
    await documents.update(f"{key}-2", adding(5), cause(f"{key} 1"))
    await documents.create_many(((f"{key}-{n}", {"Count": 0}) for n in range(4)), "thing.created", cause())
    await documents.update(f"{key}-1", adding(), cause(f"{key} 2"))
    await documents.update(f"{key}-2", adding(), cause(f"{key} 3"))


async def at_once(documents: Documents, key: str) -> None:
    """Several writers of one document."""
    await asyncio.gather(*(documents.update(key, adding(), cause(f"{key} {n}")) for n in range(4)))


async def check_updates(documents: Documents, backend: Backend, key: str) -> None:
    latest = await documents.latest(key)
    assert (latest.version, latest.state, latest.side) == (4, {"Count": 7}, {})
    history = (await documents.history(key)).items
    assert [(item.version, item.deleted, item.state) for item in history] == [
        (4, False, {"Count": 7}),
        (3, True, {"Count": 2}),
        (2, False, {"Count": 2}),
        (1, False, {"Count": 1}),
    ]
    assert backend.broker.first_versions(key) == [1, 2, 3, 4]
    replay = await documents.update(key, adding(), cause(f"{key} 2"))
    assert (replay.replayed, replay.document.state) == (True, {"Count": 2})
    for number in (3, 5):
        assert (await documents.update(key, adding(), cause(f"{key} {number}"))).replayed
    with pytest.raises(Refused) as refused:
        await documents.update(key, adding(), cause(f"{key} 4"))
    assert refused.value.status == 412
    assert (await documents.latest(key)).version == 4


async def check_bulk(documents: Documents, backend: Backend, key: str) -> None:
    for number, versions, count in ((0, 1, 0), (1, 2, 1), (2, 2, 6), (3, 1, 0)):
        document = await documents.latest(f"{key}-{number}")
        assert (document.version, document.state) == (versions, {"Count": count})
        assert backend.broker.first_versions(f"{key}-{number}") == list(range(1, versions + 1))
        history = (await documents.history(f"{key}-{number}")).items
        assert [item.version for item in history] == list(range(versions, 0, -1))


async def check_at_once(documents: Documents, backend: Backend, key: str) -> None:
    latest = await documents.latest(key)
    assert (latest.version, latest.state) == (4, {"Count": 4})
    assert [item.state["Count"] for item in (await documents.history(key)).items] == [4, 3, 2, 1]
    assert backend.broker.first_versions(key) == [1, 2, 3, 4]


async def run_until_it_dies(backend: Backend, workload: Workload, key: str, at: int) -> bool:
    """Whether it died; a store of its own, left as a dead process leaves it."""
    faults = Faults()
    with pytest.MonkeyPatch.context() as patch:
        install(patch, faults)
        # Its own sweeper does not help it to get through; on SQLite this is how long its lease outlives it.
        store = backend.make(faults.publishing(backend.broker.publish), sweep_after=30 if backend.is_mongo else 0.05)
        documents = store.documents("thing")
        await store.start()
    faults.arm(at)

    async def work() -> None:
        await workload(documents, key)
        await store.drain()

    working, died = asyncio.create_task(work()), asyncio.create_task(faults.dead.wait())
    await asyncio.wait({working, died}, return_when=asyncio.FIRST_COMPLETED)
    dead = faults.dead.is_set() or faults.steps == at
    if not dead:
        faults.at = None
        await working
    for task in (working, died):
        task.cancel()
    await asyncio.gather(working, died, return_exceptions=True)
    with contextlib.suppress(Died):
        await store.stop()
    return dead


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("workload", "check"), [(updates, check_updates), (bulk, check_bulk), (at_once, check_at_once)]
)
async def test_a_crash_at_any_step_is_finished(
    backend: Backend, workload: Workload, check: Callable[[Documents, Backend, str], Awaitable[None]]
) -> None:
    survivor, documents = await backend.open(sweep_after=0.05)
    at = 1
    while await run_until_it_dies(backend, workload, f"F{at}", at):
        await workload(documents, f"F{at}")
        at += 1
    assert at > 10
    await survivor.drain()
    await nothing_is_open(survivor)
    for number in range(1, at + 1):
        await check(documents, backend, f"F{number}")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workload", [updates, bulk])
async def test_a_crash_at_any_step_is_finished_without_anybody_asking_again(
    backend: Backend, workload: Workload
) -> None:
    """What was done is published and stored, though nothing is redelivered: the sweeper alone does it."""
    survivor, documents = await backend.open(sweep_after=0.05)
    at, keys = 1, [""]
    while await run_until_it_dies(backend, workload, f"F{at}", at):
        at += 1
    await survivor.drain()
    async for page in documents.scan():
        for document in page:
            keys.append(document.key)
            assert backend.broker.first_versions(document.key) == list(range(1, document.version + 1))
            history = (await documents.history(document.key)).items
            assert [item.version for item in history] == list(range(document.version, 0, -1))
    assert len(keys) > at // 2


@pytest.mark.slow
async def test_cancelled_writers_leave_nothing_half_done(backend: Backend) -> None:
    """A caller that gives up, at any moment: its write is wholly there or not at all, and published if it is."""
    store, documents = await backend.open()
    for number in range(60):
        writing = asyncio.create_task(documents.update("F1", adding(), cause(f"c{number}")))
        for _ in range(number):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    for number in range(60):
        await documents.update("F1", adding(), cause(f"c{number}"))
    assert (await documents.latest("F1")).state == {"Count": 60}
    await store.drain()
    assert backend.broker.first_versions("F1") == list(range(1, 61))
    assert [item.state["Count"] for item in (await documents.history("F1")).items] == list(range(60, 0, -1))

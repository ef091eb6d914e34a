"""MongoDB away for a while, in the middle of writes: callers get Unavailable, and no acknowledged write is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shared.documents.mongo import MongoStore
from shared.errors import Unavailable
from tests.support import servers
from tests.support.broker import Broker
from tests.support.document_stores import adding, cause, nothing_is_open
from tests.support.waiting import until


@pytest.fixture
def server() -> Iterator[servers.Server]:
    made = servers.mongo()
    made.start()
    try:
        yield made
    finally:
        made.remove()


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_killed_server_loses_nothing_that_was_answered(server: servers.Server) -> None:
    broker = Broker()
    store = MongoStore(server.url, "thing", broker.publish, source="thing_svc", sweep_after=0.2)
    documents = store.documents("thing")
    await store.start()
    answered, unavailable, going = [0] * 8, 0, True

    async def write(number: int) -> None:
        nonlocal unavailable
        unsure = False  # whether the last try may have been written, though the caller got Unavailable
        while going or unsure:
            try:
                await documents.update(f"F{number}", adding(), cause(f"{number}/{answered[number]}"))
            except Unavailable:
                unavailable, unsure = unavailable + 1, True
                await asyncio.sleep(0.05)
            else:
                answered[number], unsure = answered[number] + 1, False

    async def more_than(counts: list[int]) -> None:
        def gone_on() -> bool:
            for writer in writers:
                if writer.done():
                    writer.result()  # no error but Unavailable may reach a writer
            return all(now > then for now, then in zip(answered, counts, strict=True))

        await until(gone_on, "every writer", seconds=300)

    writers = [asyncio.create_task(write(number)) for number in range(8)]
    await more_than([10] * 8)
    await asyncio.to_thread(server.kill)
    with pytest.raises(Unavailable):
        await store.ping()
    await until(lambda: unavailable, "an Unavailable")
    await asyncio.to_thread(server.start_again)
    await more_than(list(answered))
    going = False
    await asyncio.gather(*writers)
    await store.drain()
    for number, count in enumerate(answered):
        latest = await documents.latest(f"F{number}")
        assert latest is not None
        assert latest.state == {"Count": count}
        assert broker.first_versions(f"F{number}") == list(range(1, count + 1))
    await nothing_is_open(store)
    await store.stop()

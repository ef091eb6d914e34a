"""What the relay of a MongoDB store counts as open, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from shared.cause import Cause
from shared.documents.mongo.heads import MongoHead, OpenWrite
from shared.documents.mongo.relay import MongoRelay
from shared.documents.mongo.steps import LoadedHead, PreparedWrite, Ref
from shared.documents.versions import Outcome, StoredOutcome, first_version
from shared.durability.outbox import OutboxState
from shared.trace import Trace
from tests.support.waiting import until

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
CAUSE = Cause(NOW, "ann", Trace("correlation"))
REF = ("thing", "F1")
WRITE = PreparedWrite(OpenWrite.of(1, StoredOutcome("", "", *REF, Outcome.VERSION, 1), (), CAUSE), ())
HEAD = MongoHead(first_version("F1", {}, CAUSE, 1), 1, {}, (WRITE.write,))


class OneStoredWrite:
    """Steps on a store that has one open write; its removal waits until it is let go."""

    def __init__(self) -> None:
        self.published = asyncio.Event()
        self.go = asyncio.Event()

    def published_to(self, ref: Ref) -> int:
        return 0

    async def load(self, refs: Sequence[Ref]) -> dict[Ref, LoadedHead]:
        return {REF: LoadedHead([WRITE])}

    async def publish(self, batch: Mapping[Ref, Sequence[PreparedWrite]]) -> dict[Ref, set[int]]:
        self.published.set()
        return {ref: {prepared.write.number for prepared in writes} for ref, writes in batch.items()}

    async def store_and_remove(self, batch: object) -> None:
        await self.go.wait()


class NothingInBulk:
    def state(self) -> OutboxState:
        return OutboxState(0, None)

    async def recover(self, before: datetime) -> None: ...


async def test_a_write_that_was_loaded_before_it_is_handed_over_counts_once() -> None:
    steps, nothing_in_bulk = OneStoredWrite(), NothingInBulk()
    relay = MongoRelay(steps, {}, nothing_in_bulk, sweep_after=3600)  # type: ignore[arg-type]
    await relay.start()
    relay._found(REF, 1, NOW)
    await steps.published.wait()
    relay.written(REF, HEAD, WRITE)
    assert relay.state() == OutboxState(1, NOW)
    steps.go.set()
    await until(lambda: relay.state() == OutboxState(0, None), "an empty outbox")
    await relay.stop()

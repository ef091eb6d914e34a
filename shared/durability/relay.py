"""The relay: publishes what a store's outbox holds, oldest first, and removes what the broker has acknowledged.

One relay serves every store whose outbox is a table in the order of its commits. MongoDB's outbox lies in the documents
themselves, so that store has a relay of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Collection, Sequence
from typing import Final, NamedTuple, Protocol

import structlog

from shared.durability.backoff import Backoff
from shared.durability.lease import Lease, LeaseLost, Leases
from shared.durability.outbox import Lane, OutboxFull, Publish
from shared.durability.room import STALLED_SECONDS, Room
from shared.envelope import Message
from shared.errors import MessageTooLarge, Unavailable
from shared.tasks import end
from shared.trace import new_id

log = structlog.get_logger(__name__)

_PAGE: Final = 2000  # entries published together: enough to keep a broker busy, and few enough to hold in memory
_POLL: Final = 0.25  # seconds between two looks for what another process wrote; a write of this process wakes the relay
_TIDY_EVERY: Final = 3600.0
_LEASE: Final = "relay"
_BACKOFF: Final = Backoff(first=0.1, longest=5.0)
"""Between two tries of the lanes that are held back, and of a store that is away: what is back is used within 5 s."""


class OutboxEntry(NamedTuple):
    """An outgoing event's place in the outbox. The entries of one ``lane`` are published in their order."""

    position: int
    lane: Lane
    message: Message


class OutboxTable(Protocol):
    """What a backend provides. Every call raises Unavailable while the store is away."""

    async def is_empty(self) -> bool:
        """Whether nothing is open; cheap enough to be asked every time."""

    async def page(self, after: int, limit: int, *, without: Collection[Lane]) -> Sequence[OutboxEntry]:
        """About ``limit`` of the oldest entries behind the position ``after``; it may leave out those lanes.

        No position is given twice. A backend whose positions do not follow the order of commits starts at the oldest
        entry each time.
        """

    def remove(self, entries: Sequence[OutboxEntry]) -> Awaitable[None]:
        """Removes published entries. It begins at once, and the next ``page`` may be read meanwhile."""

    async def tidy(self) -> None:
        """Deletes what has expired; called every hour by the process that holds the lease."""


class Relay:
    """One process's relay. A message may be published twice after a crash, but never out of its lane's order.

    ``lease_seconds``: how long the relay of a process that is gone keeps the others waiting.
    """

    def __init__(self, outbox: OutboxTable, leases: Leases, publish: Publish, *, lease_seconds: float) -> None:
        self._outbox = outbox
        self._leases = leases
        self._publish = publish
        self._lease_seconds = lease_seconds
        self._process = new_id()
        self._lease: Lease | None = None
        self._renew_at = 0.0
        self._held_back: set[Lane] = set()  # lanes whose next message was not acknowledged
        self._after = 0  # all entries up to this position are removed, or in a lane that is held back
        self._tries = 0  # of the lanes that are held back, in a row
        self._retry_at = 0.0
        self._progress = time.monotonic()  # when the broker last took something, or had nothing to take
        self._room = Room()
        self._committed = asyncio.Event()
        self._passed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.wake = self._committed.set
        """To be called after a commit that added entries."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def stop(self, patience: float = 2.0) -> None:
        """Publishes what is open, within ``patience`` seconds, and ends."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self.drain()
        except (TimeoutError, Unavailable):
            log.warning("the service stops with open outbox entries; they are published at its next start")
        finally:
            await end(task)
        if self._lease is not None:
            try:
                await self._leases.release(self._lease)
            except Unavailable as error:
                log.info("the relay's lease is left to run out", reason=str(error))

    async def drain(self) -> None:
        """Returns once nothing is open."""
        while not await self._outbox.is_empty():
            self._passed.clear()
            self.wake()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._passed.wait()

    async def wait_for_room(self, full: OutboxFull, since: float) -> None:
        """Returns when a write that found its lane full, asked for at ``since`` (monotonic), should be tried again.

        Raises as ``Room.wait`` does.
        """
        is_stalled = full.lane in self._held_back or time.monotonic() - self._progress > STALLED_SECONDS
        await self._room.wait(full, since=since, stalled=is_stalled)

    async def _run(self) -> None:
        failures, tidied = 0, 0.0
        while True:
            is_taking = True
            try:
                is_taking = await self._outbox.is_empty() or await self._publish_open()
                if is_taking:
                    self._progress = time.monotonic()
                if time.monotonic() - tidied > _TIDY_EVERY and await self._hold_lease():
                    await self._outbox.tidy()
                    tidied = time.monotonic()
                failures = 0
            except Exception as error:
                if isinstance(error, Unavailable):
                    log.warning("outbox entries wait: the store is away", error=str(error))
                else:
                    log.exception("outbox entries wait: the relay failed and tries again")
                failures += 1
                self._retry_at = 0.0  # what was acknowledged may not be removed: the next pass begins at the oldest
            self._passed.set()
            if failures:
                await asyncio.sleep(_BACKOFF.before(failures))
            elif not is_taking:
                await asyncio.sleep(_POLL)  # not at once after the next commit: the broker may be away
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL):
                        await self._committed.wait()
                    self._committed.clear()

    async def _hold_lease(self) -> bool:
        """Takes the lease, or renews it when half of its time is over; False while another process holds it."""
        now = time.monotonic()
        if self._lease is None:
            self._lease = await self._leases.claim(_LEASE, self._process, self._lease_seconds)
        elif now >= self._renew_at:
            try:
                await self._leases.renew(self._lease, self._lease_seconds)
            except LeaseLost:
                self._lease = None
        else:
            return True
        self._renew_at = now + self._lease_seconds / 2
        return self._lease is not None

    async def _publish_open(self) -> bool:
        """Publishes from the oldest entry on; False when the broker took nothing of a page.

        A lane whose message was not acknowledged is held back until the next try of all such lanes. Until then each
        pass publishes what the other lanes have, behind the entries that the passes before it have read.
        """
        now, before = time.monotonic(), set(self._held_back)
        is_try = now >= self._retry_at
        if is_try:
            self._held_back.clear()
            self._after = 0
        some_acknowledged, is_taking = False, True
        removal: Awaitable[None] | None = None
        removed: Sequence[OutboxEntry] = ()
        while is_taking and await self._hold_lease():
            page = await self._outbox.page(self._after, _PAGE, without=self._held_back)
            if not page:
                break
            self._after = page[-1].position
            entries = [entry for entry in page if entry.lane not in self._held_back]
            acknowledged = await self._publish_entries(entries) if entries else []
            if removal is not None:
                await removal
                if self._room.writers:
                    self._room.make(entry.lane for entry in removed)
            if acknowledged:
                self._progress = time.monotonic()
            removal, removed = self._outbox.remove(acknowledged) if acknowledged else None, acknowledged
            some_acknowledged = some_acknowledged or bool(acknowledged)
            is_taking = bool(acknowledged) or not entries
        if removal is not None:
            await removal
            if self._room.writers:
                self._room.make(entry.lane for entry in removed)
        is_new = some_acknowledged and not self._held_back <= before  # by itself, while the broker takes the others
        if not self._held_back:
            self._tries, self._retry_at = 0, 0.0
        elif is_try or is_new:
            self._tries = 1 if is_new else self._tries + 1
            self._retry_at = now + _BACKOFF.before(self._tries)
        return is_taking

    async def _publish_entries(self, entries: list[OutboxEntry]) -> list[OutboxEntry]:
        """Those acknowledged. The lease is kept meanwhile, however long the broker takes."""
        publishing = asyncio.ensure_future(self._publish([entry.message for entry in entries]))
        try:
            while not (await asyncio.wait({publishing}, timeout=self._lease_seconds / 2))[0]:
                await self._hold_lease()
        finally:
            publishing.cancel()
        acknowledged = []
        for entry, error in zip(entries, publishing.result(), strict=True):
            if error is None:
                acknowledged.append(entry)
            elif entry.lane not in self._held_back:
                self._held_back.add(entry.lane)
                if not isinstance(error, MessageTooLarge):  # the publisher logs that one
                    log.warning("an outbox entry waits: it could not be published", of=entry.lane, error=str(error))
        return acknowledged

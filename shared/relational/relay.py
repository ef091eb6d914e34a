"""Owns the way from the outbox to the broker: one relay at a time for a database, by a lease, oldest first."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import func, insert, select, update

from shared.durability.backoff import TOO_LARGE_PAUSE, jittered
from shared.durability.lease import Lease, LeaseLost
from shared.durability.outbox import Publish
from shared.envelope import Message
from shared.errors import MessageTooLarge, Unavailable
from shared.tasks import end
from shared.trace import new_id

if TYPE_CHECKING:
    from shared.relational.database import Database, UnitOfWork

__all__ = ["Relay", "last_instant"]

_BATCH: Final = 1000
_LEASE: Final = "outbox-relay"
_LEASE_SECONDS: Final = 10.0  # how long a crashed relay keeps others waiting
_RENEW_BEFORE: Final = 6.0
_MOST_BLOCKED: Final = 500
_LAST_INSTANT: Final = "last-instant"

log = structlog.get_logger(__name__)


class Relay:
    """Publishes what is open. A message may go twice after a crash, never out of its key's order, and none is lost.

    ``poll`` is how often the lease's holder looks for what other processes wrote, in seconds; its own process wakes it.
    """

    def __init__(self, database: Database, publish: Publish, *, poll: float) -> None:
        self._database = database
        self._publish = publish
        self._poll = poll
        self._holder = new_id()
        self._lease: Lease | None = None
        self._lease_until = 0.0
        self._blocked: dict[str, float] = {}
        self._passing = asyncio.Lock()
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def stop(self) -> None:
        """Ends after the pass under way, and gives the lease to whoever wants it."""
        if self._task is not None:
            await end(self._task)
            self._task = None
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            await self._database.leases.release(lease)
        except Unavailable as error:
            log.info("the relay's lease was left to run out", reason=str(error))

    def wake(self) -> None:
        """Something was committed."""
        self._awake.set()

    async def drain(self) -> None:
        """Returns when nothing is open any more; keeps trying while the broker or another holder takes its time."""
        pause = 0.01
        while True:
            while await self.one_pass():
                pause = 0.01
            async with self._database.read() as connection:
                state = await self._database.outbox_rows.state(connection)
            if not state.open:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def one_pass(self) -> bool:
        """Publishes one batch; whether there may be more to do at once."""
        async with self._passing:
            now = time.monotonic()
            self._blocked = {key: until for key, until in self._blocked.items() if until > now}
            if self._lease_until <= now and not (await self._is_anything_open() and await self._hold_lease()):
                return False
            ids, messages = await self._oldest_first()
            if not messages or not await self._hold_lease():
                return False
            failures = await self._published(messages)
            sent = [i for i, failure in enumerate(failures) if failure is None]
            await self._settle([ids[i] for i in sent], [messages[i].time for i in sent])
            if len(sent) == len(messages):
                return True
            self._block(messages, failures)
            return bool(sent)

    async def _is_anything_open(self) -> bool:
        async with self._database.read() as connection:
            return await self._database.outbox_rows.is_anything_open(connection)

    async def _oldest_first(self) -> tuple[list[int], list[Message]]:
        async with self._database.read() as connection:
            return await self._database.outbox_rows.oldest_first(connection, _BATCH, without=list(self._blocked))

    async def _published(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        """Publishes, the lease kept meanwhile however long the broker takes."""
        publishing = asyncio.ensure_future(self._publish(messages))
        try:
            while not publishing.done():
                await asyncio.wait({publishing}, timeout=_LEASE_SECONDS - _RENEW_BEFORE)
                await self._hold_lease()
            return publishing.result()
        finally:
            publishing.cancel()

    async def _settle(self, ids: Sequence[int], times: Sequence[datetime]) -> None:
        if not ids:
            return
        outbox, meta = self._database.outbox_rows, self._database.kit.meta
        latest = max(times)

        async def settle(unit: UnitOfWork) -> None:
            connection = unit.connection
            await outbox.remove(connection, ids)
            known = await connection.execute(select(meta.c.Instant).where(meta.c.Name == _LAST_INSTANT))
            row = known.first()
            if row is None:
                await connection.execute(insert(meta).values(Name=_LAST_INSTANT, Instant=latest))
            elif row.Instant < latest:
                await connection.execute(update(meta).where(meta.c.Name == _LAST_INSTANT).values(Instant=latest))

        await self._database.write(settle)
        outbox.open_estimate = max(0, outbox.open_estimate - len(ids))

    def _block(self, messages: Sequence[Message], failures: Sequence[Exception | None]) -> None:
        """Keys that could not go wait a little, so that those behind them in the table can.

        Of what is too large whoever publishes says so; it is no sign of a broker that is away.
        """
        failed: dict[str, Exception] = {}
        for message, failure in zip(messages, failures, strict=True):
            if failure is not None:
                failed.setdefault(message.key, failure)
        now, room = time.monotonic(), _MOST_BLOCKED - len(self._blocked)
        for key, failure in list(failed.items())[: max(room, 0)]:
            longest = TOO_LARGE_PAUSE if isinstance(failure, MessageTooLarge) else 1.0
            self._blocked[key] = now + jittered(longest)
        others = [failure for failure in failed.values() if not isinstance(failure, MessageTooLarge)]
        if others:
            log.warning("the outbox could not be published", keys=len(others), reason=str(others[0]))

    async def _hold_lease(self) -> bool:
        now = time.monotonic()
        if now < self._lease_until - _RENEW_BEFORE:
            return True
        leases = self._database.leases
        try:
            if self._lease is not None:
                await leases.renew(self._lease, _LEASE_SECONDS)
        except LeaseLost:
            self._lease = None
        if self._lease is None:
            self._lease = await leases.take(_LEASE, self._holder, _LEASE_SECONDS)
        self._lease_until = now + _LEASE_SECONDS if self._lease is not None else 0.0
        return self._lease is not None

    async def _run(self) -> None:
        counted_at, pause = 0.0, self._poll
        while True:
            try:
                self._awake.clear()
                while await self.one_pass():
                    pause = self._poll
                pause = 0.5 if self._blocked else self._poll
                if time.monotonic() - counted_at > 1.0:
                    async with self._database.read() as connection:
                        await self._database.outbox_rows.state(connection)
                    counted_at = time.monotonic()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the loop outlives every fault; what is open stays open
                pause = min(max(pause, 0.25) * 2, 5.0)
                known = isinstance(error, Unavailable)
                log.warning("the relay waits", reason=str(error), seconds=round(pause, 2), exc_info=not known)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(jittered(pause)):
                    await self._awake.wait()


async def last_instant(database: Database) -> datetime | None:
    """The latest instant a message of this database was dated by, published or not."""
    meta = database.kit.meta
    async with database.read() as connection:
        told = (await connection.execute(select(func.max(meta.c.Instant)))).scalar()
        waiting = await database.outbox_rows.latest_instant(connection)
    return max((moment for moment in (told, waiting) if moment is not None), default=None)

"""The relay: publishes the outbox, oldest entry first; one relay works at a time, the one that holds the lease.

One pass has five steps. A crash between any two of them only repeats messages; none is lost or out of its key's order.

1. Hold the lease. It is asked for only while something is open, and kept for the next pass.
2. Read the oldest entries, without the keys that are paused.
3. Publish them, and wait for the acknowledgements. The lease is renewed meanwhile.
4. Remove what was acknowledged.
5. Pause the keys that failed, so that the entries behind them can go.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

import structlog

from shared.durability.backoff import TOO_LARGE_PAUSE, Backoff, jittered
from shared.durability.lease import Lease, LeaseLost
from shared.durability.outbox import Publish
from shared.envelope import Message
from shared.errors import MessageTooLarge, Unavailable
from shared.relational.lease import RelationalLeases
from shared.relational.outbox import Outbox
from shared.tasks import end
from shared.trace import new_id

__all__ = ["Relay"]

_BATCH: Final = 1000  # some MB of messages, published in well under a second
_LEASE: Final = "outbox-relay"
_LEASE_SECONDS: Final = 10.0  # how long a relay that died keeps the others waiting
_RENEW_BEFORE: Final = 6.0
_COUNT_EVERY: Final = 1.0
_MAX_PAUSED_KEYS: Final = 500  # each is a parameter of the query; when more fail, the broker is away
_KEY_PAUSE: Final = 1.0
_LOOK_AT_PAUSED: Final = 0.5
_AFTER_FAILURE: Final = Backoff(first=0.5, longest=5.0)

log = structlog.get_logger(__name__)


class Relay:
    """``poll`` is how often the holder of the lease looks for entries of other processes; its own process wakes it."""

    def __init__(self, outbox: Outbox, leases: RelationalLeases, publish: Publish, *, poll: float) -> None:
        self._outbox = outbox
        self._leases = leases
        self._publish = publish
        self._poll = poll
        self._holder = new_id()
        self._lease: Lease | None = None
        self._held_until = 0.0
        self._paused: dict[str, float] = {}
        self._passing = asyncio.Lock()
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def stop(self) -> None:
        """Ends, and releases the lease. What is not published yet is published by another process or the next start."""
        if self._task is not None:
            await end(self._task)
            self._task = None
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            await self._leases.release(lease)
        except Unavailable as error:
            log.info("the relay's lease was left to run out", reason=str(error))

    def wake(self) -> None:
        """Entries were committed."""
        self._awake.set()

    async def drain(self) -> None:
        """Returns when nothing is open any more; keeps trying while the broker or another relay takes its time."""
        pause = 0.01
        while True:
            while await self.one_pass():
                pause = 0.01
            if not (await self._outbox.state()).open:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def one_pass(self) -> bool:
        """Publishes one batch; whether there may be more to publish at once."""
        async with self._passing:
            now = time.monotonic()
            self._paused = {key: until for key, until in self._paused.items() if until > now}
            if self._held_until <= now and (await self._outbox.is_empty() or not await self._hold_lease()):
                return False
            entries = await self._outbox.oldest(_BATCH, without_keys=self._paused)
            if not entries or not await self._hold_lease():
                return False
            messages = [message for _, message in entries]
            failures = await self._published(messages)
            acknowledged = [entry for entry, failure in zip(entries, failures, strict=True) if failure is None]
            await self._outbox.remove(acknowledged)
            self._pause_failed(messages, failures)
            return bool(acknowledged)

    async def _hold_lease(self) -> bool:
        """Whether this relay holds the lease for some seconds at least; takes or renews it where that is needed."""
        now = time.monotonic()
        if now < self._held_until - _RENEW_BEFORE:
            return True
        try:
            if self._lease is not None:
                await self._leases.renew(self._lease, _LEASE_SECONDS)
        except LeaseLost:
            self._lease = None
        if self._lease is None:
            self._lease = await self._leases.take(_LEASE, self._holder, _LEASE_SECONDS)
        self._held_until = now + _LEASE_SECONDS if self._lease is not None else 0.0
        return self._lease is not None

    async def _published(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        """Publishes, and holds the lease meanwhile, however long the broker takes."""
        publishing = asyncio.ensure_future(self._publish(messages))
        try:
            while not publishing.done():
                await asyncio.wait({publishing}, timeout=_LEASE_SECONDS - _RENEW_BEFORE)
                await self._hold_lease()
            return publishing.result()
        finally:
            publishing.cancel()

    def _pause_failed(self, messages: Sequence[Message], failures: Sequence[Exception | None]) -> None:
        """Pauses the keys that failed. The publisher itself logs what is too large; the broker is not away then."""
        failed: dict[str, Exception] = {}
        for message, failure in zip(messages, failures, strict=True):
            if failure is not None:
                failed.setdefault(message.key, failure)
        now, room = time.monotonic(), max(_MAX_PAUSED_KEYS - len(self._paused), 0)
        for key, failure in list(failed.items())[:room]:
            longest = TOO_LARGE_PAUSE if isinstance(failure, MessageTooLarge) else _KEY_PAUSE
            self._paused[key] = now + jittered(longest)
        others = [failure for failure in failed.values() if not isinstance(failure, MessageTooLarge)]
        if others:
            log.warning("the outbox could not be published", keys=len(others), reason=str(others[0]))

    async def _run(self) -> None:
        counted_at, failed = 0.0, 0
        while True:
            self._awake.clear()
            try:
                while await self.one_pass():
                    failed = 0
                if time.monotonic() - counted_at > _COUNT_EVERY:
                    await self._outbox.state()
                    counted_at = time.monotonic()
                pause, failed = (_LOOK_AT_PAUSED if self._paused else self._poll), 0
            except Exception as error:  # the relay outlives every fault; what is open stays open
                failed += 1
                pause = _AFTER_FAILURE.before(failed)
                unexpected = not isinstance(error, Unavailable)
                log.warning("the relay waits", reason=str(error), seconds=round(pause, 2), exc_info=unexpected)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(jittered(pause)):
                    await self._awake.wait()

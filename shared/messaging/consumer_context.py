"""What the batches of a consumer have in common, and the signal that releases one of them before all is settled."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum

from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.durability.failures import StopLimit
from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.messaging.publisher import Publisher
from shared.messaging.subscription import Subscribed
from shared.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Tuning:
    """The pace of a consumer; seconds.

    ``patience``: a batch that takes longer is released; well under the broker's max.poll.interval of 300 s, after which
    the group would lose the member. ``handover``: how long a rebalance waits for the batch in work; under the broker's
    rebalance timeout of 30 s. ``stuck_after``: a record that takes longer makes the consumer unhealthy. ``max_records``
    of a few kilobytes are a few megabytes. ``concurrency``: keys at a time; more only queue at the store's connections.
    """

    max_records: int = 2_000
    concurrency: int = 32
    patience: float = 100.0
    handover: float = 20.0
    stuck_after: float = 60.0
    transient: Backoff = field(default_factory=lambda: Backoff(0.1, 5.0))
    unexpected: Backoff = field(default_factory=lambda: Backoff(0.05, 1.0))


@dataclass(frozen=True, slots=True)
class ConsumerContext:
    """What a consumer reads, how fast, and what it settles records with."""

    subscription: Subscribed
    publisher: Publisher
    dead_letters: DeadLetterQueue
    clock: Clock
    metrics: Metrics
    tuning: Tuning = field(default_factory=Tuning)
    limit: StopLimit = field(default_factory=StopLimit)


class ReleaseReason(StrEnum):
    """Why a batch is released: what is left of it is delivered again, here or elsewhere."""

    STOPPING = "stopping"
    REBALANCE = "rebalance"  # its partitions are revoked
    TOO_SLOW = "too-slow"  # it took longer than a member of the group may
    STOP_LIMIT = "stop-limit"  # most records fail


class Released(Exception):
    """The batch is released, so nothing in it is waited for any more."""


@dataclass(slots=True, eq=False)
class Release:
    """The release of one batch.

    Whoever waits ends at once; whoever works on a record finishes it first. Behind ``deadline`` (monotonic) no further
    record is begun, and the batch is released in any case, so that the group does not lose its member.
    """

    deadline: float
    _requested: asyncio.Event = field(default_factory=asyncio.Event)
    _reason: ReleaseReason | None = None

    @property
    def reason(self) -> ReleaseReason | None:
        """Why the batch is released; None while it is not."""
        if self._reason is None and time.monotonic() > self.deadline:
            self.request(ReleaseReason.TOO_SLOW)
        return self._reason

    def request(self, reason: ReleaseReason, *, waiting_only: bool = False) -> None:
        """Release the batch. With ``waiting_only``, workers that make progress may begin further records."""
        self._reason = self._reason or reason
        if not waiting_only:
            self.deadline = 0.0
        self._requested.set()

    async def pause(self, seconds: float) -> None:
        """Waits so long. Released as soon as the batch is."""
        left = self.deadline - time.monotonic()
        try:
            async with asyncio.timeout(min(seconds, max(left, 0.0))):
                await self._requested.wait()
        except TimeoutError:
            if seconds < left:
                return
        raise Released(self.reason)

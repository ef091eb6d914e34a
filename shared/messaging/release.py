"""The signal to release a batch before all of it is settled: what is left is delivered again, here or elsewhere."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum


class ReleaseReason(StrEnum):
    """Why a batch is released."""

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

"""Owns how those at work on a batch are told to hand it back before all of it is done."""

from __future__ import annotations

import asyncio
import time
from typing import Final

__all__ = ["REBALANCE", "STOPPING", "STOP_LIMIT", "TOO_SLOW", "HandBack", "Recall"]

STOPPING: Final = "stopping"
REBALANCE: Final = "rebalance"
TOO_SLOW: Final = "too-slow"
STOP_LIMIT: Final = "stop-limit"


class HandBack(Exception):
    """What is not done of the batch goes back to the log, to be delivered again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Recall:
    """One batch's. Whoever waits hands back at once; whoever works finishes the record in hand first.

    ``patience``: seconds after which the batch is handed back in any case, so that the group keeps its member. Past the
    ``deadline``, or with ``workers_too``, no further record may be begun.
    """

    def __init__(self, patience: float) -> None:
        self.deadline = time.monotonic() + patience
        self._called = asyncio.Event()
        self._reason: str | None = None
        self.workers_too = False

    @property
    def reason(self) -> str | None:
        """Why the batch is handed back; None while it is not."""
        if self._reason is None and time.monotonic() > self.deadline:
            self.call(TOO_SLOW)
        return self._reason

    def call(self, reason: str, *, waiting_only: bool = False) -> None:
        """Hand back; with ``waiting_only`` those who get on with their records may go on."""
        self._reason = self._reason or reason
        self.workers_too = self.workers_too or not waiting_only
        self._called.set()

    async def pause(self, seconds: float) -> None:
        """Wait, unless the batch is to be handed back meanwhile: HandBack."""
        left = self.deadline - time.monotonic()
        try:
            async with asyncio.timeout(min(seconds, max(left, 0.0))):
                await self._called.wait()
        except TimeoutError:
            if seconds < left:
                return
        raise HandBack(self.reason or TOO_SLOW)

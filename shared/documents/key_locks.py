"""Conditional writes: one writer of a key at a time in this process, and how often one that lost a race tries again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from shared.durability.backoff import Backoff

_ATTEMPTS: Final = 80
_BACKOFF: Final = Backoff(first=0.004, longest=0.25)


class KeyLocks:
    """A lock for each key, in memory only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        lock, holders = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, holders + 1)
        try:
            async with lock:
                yield
        finally:
            _, holders = self._locks[key]
            if holders == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, holders - 1)


async def attempts() -> AsyncIterator[int]:
    """Counts the tries of a conditional write, and waits a little longer before each; it ends after some 15 s."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_BACKOFF.before(attempt))
        yield attempt

"""The turns of those who write one document: in this process one writes at a time, and the others wait in a line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from shared.durability.room import TURN_SECONDS, busy


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Line:
    """The writers of one document. The lock lets them in one by one, as they came."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Turns:
    """The turns at the documents of one resource type.

    Without them all writers of a document would read the same version, and all but one would have written for nothing.
    Writers of other processes are met by the conditional write.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._lines: WeakValueDictionary[str, _Line] = WeakValueDictionary()  # in memory while somebody is in it

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """The turn at one document. Unavailable ``busy`` when it has not come after TURN_SECONDS."""
        line = self._lines.setdefault(key, _Line())
        line.waiting += 1
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await line.lock.acquire()
        except TimeoutError:
            raise busy(f"{self._resource} {key}", line.waiting) from None
        finally:
            line.waiting -= 1
        try:
            yield
        finally:
            line.lock.release()

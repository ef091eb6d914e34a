"""The turns of those who write one document: in this process one writes at a time, and the others wait in a line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shared.durability.room import TURN_SECONDS, busy


@dataclass(slots=True, eq=False, weakref_slot=True)
class Turns:
    """``async with`` it to write the document of this name. Writers get their turns in the order in which they came.

    Without them all writers of a document would read the same version, and all but one would have written for nothing.
    Writers of other processes are met by the conditional write.
    """

    name: str
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def __aenter__(self) -> None:
        """Unavailable ``busy`` when the turn has not come after TURN_SECONDS."""
        if not self._waiting and not self._lock.locked():
            await self._lock.acquire()  # at once
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._lock.acquire()
        except TimeoutError:
            raise busy(self.name, self._waiting) from None
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

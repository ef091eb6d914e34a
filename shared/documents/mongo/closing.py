"""Owns the end of writes to MongoDB that are told of: they are stored and taken off, many at once, a moment later.

A server stores the versions and answers of many writes in about the time of one, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import structlog

from shared.documents.mongo.finishing import Finisher, Ref, Work
from shared.durability.backoff import Backoff
from shared.errors import Unavailable

__all__ = ["Closer"]

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_AT_ONCE: Final = 3
_GATHER: Final = 0.03  # seconds
_BACKOFF: Final = Backoff(0.1, 5.0)


@dataclass(slots=True)
class Closer:
    """What one process has told of and not closed yet. ``closed`` hears which writes of a head are taken off."""

    finisher: Finisher
    closed: Callable[[Ref, Collection[int]], None]
    _waiting: dict[Ref, Work] = field(default_factory=dict)
    _batches: set[asyncio.Task[None]] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0

    @property
    def batches(self) -> set[asyncio.Task[None]]:
        """Those under way."""
        return self._batches

    @property
    def busy(self) -> bool:
        """Whether it has anything to do now; what failed rests for a while."""
        return bool(self._waiting or self._batches)

    def add(self, ref: Ref, told: Work) -> None:
        """These writes of a head are told of."""
        waiting = self._waiting.setdefault(ref, Work())
        waiting.entries.update(told.entries)
        waiting.items.update(told.items)
        self._wake.set()

    async def run(self) -> None:
        """Closes for as long as it is not cancelled."""
        while True:
            await self._wake.wait()
            if len(self._waiting) < _BATCH:
                await asyncio.sleep(_GATHER)
            self._wake.clear()
            while self._waiting:
                if len(self._batches) >= _AT_ONCE:
                    await asyncio.wait(self._batches, return_when=asyncio.FIRST_COMPLETED)
                    continue
                refs = list(islice(self._waiting, _BATCH))
                batch = asyncio.create_task(self._close({ref: self._waiting.pop(ref) for ref in refs}))
                self._batches.add(batch)
                batch.add_done_callback(self._batches.discard)

    async def _close(self, works: dict[Ref, Work]) -> None:
        try:
            await self.finisher.close(works)
        except Unavailable as error:
            log.warning("writes wait to be taken off: the store is away", writes=len(works), error=str(error))
        except Exception:
            log.exception("writes wait to be taken off", writes=len(works))
        else:
            self._failures = 0
            for ref, work in works.items():
                self.closed(ref, work.entries.keys())
            return
        self._failures += 1
        asyncio.get_running_loop().call_later(_BACKOFF.before(self._failures), self._again, works)

    def _again(self, works: dict[Ref, Work]) -> None:
        for ref, work in works.items():
            self.add(ref, work)

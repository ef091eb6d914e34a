"""Writes that are judged by all other documents of their resource, so that one is made at a time.

The writers of all processes take one lease. Whoever has it reads the other documents, and writes before it ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Generic, TypeVar

from shared.cause import Cause
from shared.documents import Change, Document, Documents, State, Written
from shared.documents.contract import UpdateFn
from shared.durability.backoff import Backoff
from shared.durability.lease import Lease, Leases
from shared.errors import Unavailable
from shared.schemas.base import WireModel
from shared.schemas.validation import validated
from shared.trace import new_id

M = TypeVar("M", bound=WireModel)

Among = Callable[[M | None, M | None, Mapping[str, M]], None]
"""Judges a write by the document before (None: it is new) and after (None: it is deleted), and by all others by key."""

_DECIDED_WITHIN: Final = 5.0  # seconds from asking for the lease: thousands of documents are read in one
_LEASE: Final = 30.0  # seconds; a write that was decided has 25 to arrive, and a driver gives it up after 20
_PATIENCE: Final = 10.0  # seconds; a caller that asked over HTTP still waits then
_PAUSE: Final = Backoff(0.02, 0.5)


class WritesAmong(Generic[M]):
    """The writes of one resource. ``own``: the members of a stored document that its model has.

    A write that was read and judged, and whose process is then paused for the rest of the lease, is not begun any more.
    """

    def __init__(
        self,
        judge: Among[M],
        model: type[M],
        documents: Documents,
        leases: Leases,
        *,
        name: str,
        own: Callable[[State], State],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = judge
        self._model = model
        self._documents = documents
        self._leases = leases
        self._name = name
        self._own = own
        self._elapsed = elapsed
        self._turn = asyncio.Lock()  # the writers of this process do not ask the store against each other
        self._known: dict[str, tuple[int, M]] = {}

    async def update(self, key: str, decide: UpdateFn, cause: Cause) -> Written:
        """``Documents.update`` with the judgement. Unavailable while others hold the lease for long."""
        async with self._turn:
            lease, until = await self._claim()
            try:
                others = await self._all_but(key)

                def judged(present: Document | None) -> Change | None:
                    change = decide(present)
                    if change is not None:
                        if self._elapsed() > until:
                            raise Unavailable(f"the write of {key} was held up; ask again")
                        before = None if present is None else self._valid(present.state)
                        self._judge(before, None if change.state is None else self._valid(change.state), others)
                    return change

                return await self._documents.update(key, judged, cause)
            finally:
                with suppress(Unavailable):  # it then runs out by itself
                    await self._leases.release(lease)

    async def _claim(self) -> tuple[Lease, float]:
        """The lease, and until when a write may be begun."""
        holder, first, attempt = new_id(), self._elapsed(), 0
        while (asked := self._elapsed()) < first + _PATIENCE:
            lease = await self._leases.claim(self._name, holder, _LEASE)
            if lease is not None:
                return lease, asked + _DECIDED_WITHIN
            attempt += 1
            await asyncio.sleep(_PAUSE.before(attempt))
        raise Unavailable("others are writing this resource for long; ask again")

    async def _all_but(self, key: str) -> dict[str, M]:
        """All other documents. One that was read before at the same version is not validated again."""
        known = {
            document.key: held
            if (held := self._known.get(document.key)) is not None and held[0] == document.version
            else (document.version, self._valid(document.state))
            async for page in self._documents.scan()
            for document in page
        }
        self._known = known
        return {name: document for name, (_, document) in known.items() if name != key}

    def _valid(self, state: State) -> M:
        return validated(self._model, self._own(state))

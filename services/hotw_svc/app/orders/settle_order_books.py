"""Use case: bring books up to date that time or a changed event has overtaken (HOTW rules 8 and 9)."""

from __future__ import annotations

from collections.abc import Sequence

from services.hotw_svc.app.orders.books import BookKey, turned
from services.hotw_svc.app.ports import Store, Unit
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["settle_books"]

_CHUNK = 50
_AUTO = "auto"


async def settle_books(store: Store, clock: Clock, trace: Trace | None = None) -> int:
    """Expires, cancels, starts and moves whatever is due; how many books were looked at.

    Idempotent; several replicas may do it at once. An orders' window that ended expires what it has not delivered, an
    event that moved moves its overrides, one that is inactive or gone cancels what nobody has approved. ``trace`` is
    what caused it, if anything but time did.
    """
    settled = 0
    before: list[BookKey] = []
    while True:
        keys = await store.unsettled(clock.now(), _CHUNK)
        if not keys or keys == before:
            return settled
        before = keys
        await store.write(lambda unit, keys=keys: _settle(unit, keys, clock, trace))  # type: ignore[misc]
        settled += len(keys)


async def _settle(unit: Unit, keys: Sequence[BookKey], clock: Clock, cause: Trace | None) -> None:
    now = clock.now()
    entries = [turned(book, now=now) for book in await unit.books(keys)]
    await unit.write_entries(entries)
    trace = cause or Trace.begin()
    for entry in entries:
        await unit.emit(entry.messages(now=now, trace=trace, user=_AUTO))

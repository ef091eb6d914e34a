"""Use case: settle the order books that time, or a changed event, service or fleet, has overtaken (HOTW rules 8, 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.hotw_svc.app.orders.facts import book_messages
from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.runs.run import AUTO
from services.hotw_svc.domain.orders.order_book import OrderBookKey, update_order_book
from shared.clock import Clock
from shared.trace import Trace

_CHUNK: Final = 50  # books whose fleets' rows one transaction locks, so that a decision waits only for moments


async def settle_order_books(*, store: Store, clock: Clock, trace: Trace | None = None) -> int:
    """Expires, cancels, starts and moves whatever is due; how many books were looked at.

    Idempotent; several processes may do it at once. An orders' window that ended expires what it has not delivered, an
    event that moved moves its overrides, and a fleet that was withdrawn from an event loses what nobody has approved.
    ``trace`` is what caused it, if anything but time did.
    """
    settled = 0
    before: list[OrderBookKey] = []
    while True:
        keys = await store.read(lambda unit: unit.order_books.unsettled(clock.now(), _CHUNK))
        if not keys or keys == before:
            return settled
        before = keys
        await store.write(lambda unit, keys=keys: _settle(unit, keys, clock, trace))  # type: ignore[misc]
        settled += len(keys)


async def _settle(unit: Unit, keys: Sequence[OrderBookKey], clock: Clock, cause: Trace | None) -> None:
    now = clock.now()
    changes = [update_order_book(book, now=now) for book in await unit.order_books.get(keys)]
    await unit.order_books.write(changes)
    trace = cause or Trace.begin()
    for change in changes:
        await unit.work.emit(book_messages(change.facts, change.after, now=now, trace=trace, user=AUTO))

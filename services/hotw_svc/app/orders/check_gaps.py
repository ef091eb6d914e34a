"""Use case: the gaps that a changed input concerns are worked out again (HOTW rule 10). It orders nothing (7.10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import structlog

from services.hotw_svc.app.orders.facts import book_messages
from services.hotw_svc.app.ports import LoadedInputs, MarkedGaps, Store, Unit
from services.hotw_svc.app.runs.run import AUTO
from services.hotw_svc.domain.inputs import RunFacts
from services.hotw_svc.domain.orders.gap import hosts_lacking
from services.hotw_svc.domain.orders.order_book import OrderBookKey, update_order_book
from shared.clock import Clock
from shared.schemas.hotw_svc import OrderType, Purpose
from shared.trace import current_trace

log = structlog.get_logger(__name__)

_CHUNK: Final = 200  # marks, and so fleets whose rows one transaction locks: a decision waits only for moments


async def check_gaps(*, store: Store, clock: Clock) -> bool:
    """Checks what is marked now; whether there was anything.

    Idempotent; several processes may do it at once. A mark is removed after the gaps that it concerns were written, so
    a crash in between checks them once more.
    """
    after, found = 0, False
    while True:
        marks = await store.read(lambda unit, after=after: unit.gap_marks.marked(after, _CHUNK))  # type: ignore[misc]
        if marks.last is None:
            return found
        after = marks.last
        found |= bool(marks.wide or marks.done)
        await _check(marks, store, clock)


async def _check(marks: MarkedGaps, store: Store, clock: Clock) -> None:
    if marks.wide:
        await store.write(lambda unit: unit.gap_marks.spread(marks.wide))
    for _, of_event in groupby(marks.keys, key=lambda key: key.event_id):
        keys = list(of_event)
        await store.write(lambda unit, keys=keys: _check_books(unit, keys, clock))  # type: ignore[misc]
    if marks.done:
        await store.write(lambda unit: unit.gap_marks.remove(marks.done))


async def _check_books(unit: Unit, keys: Sequence[OrderBookKey], clock: Clock) -> None:
    books = {book.key.fleet_id: book for book in await unit.order_books.get(keys)}
    if not books:
        return
    now, trace = clock.now(), current_trace()
    event = next(iter(books.values())).event
    of_now = RunFacts(run_id=0, created_at=now, order_type=OrderType.STANDARD, user=AUTO, purpose=Purpose.UPSCALING)
    loaded = await unit.inputs.load(of_now, list(books), event)
    lacking = {item.fleet_id: _lacking(item) for item in loaded}
    changes = [update_order_book(book, now=now, lacking=lacking[name]) for name, book in books.items()]
    changed = [one for one in changes if one.facts or one.orders or one.overrides]
    await unit.order_books.write(changed)
    for one in changed:
        await unit.work.emit(book_messages(one.facts, one.after, now=now, trace=trace, user=AUTO))


def _lacking(item: LoadedInputs) -> int | None:
    """What the fleet lacks; None, and so as it was, where that cannot be known."""
    if item.gone or item.fault is not None:
        return None
    try:
        return hosts_lacking(item.inputs)
    except Exception:  # one fleet's fault keeps no other from being checked
        log.exception("a gap could not be worked out", fleet=item.fleet_id)
        return None

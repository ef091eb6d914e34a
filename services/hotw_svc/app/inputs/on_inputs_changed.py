"""Event handlers' use case: keep the newest version of what other services own; order books follow their event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.hotw_svc.app.orders.settle_order_books import settle_order_books
from services.hotw_svc.app.ports import Snapshot, Store
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["on_events_changed", "on_inputs_changed"]

_CHUNK: Final = 500  # snapshots in one transaction; each may be some kilobytes


async def on_inputs_changed(resource: str, snapshots: Sequence[Snapshot], *, store: Store) -> set[str]:
    """Keeps the newest snapshot of each key, tombstones too; the keys that got a newer one. Idempotent, in any order.

    ``resource`` is event, service, fleet, projection or inventory.
    """
    kept: set[str] = set()
    for start in range(0, len(snapshots), _CHUNK):
        chunk = snapshots[start : start + _CHUNK]
        kept |= await store.write(lambda unit, chunk=chunk: unit.inputs.keep(resource, chunk))  # type: ignore[misc]
    return kept


async def on_events_changed(snapshots: Sequence[Snapshot], *, store: Store, clock: Clock, trace: Trace) -> set[str]:
    """Keeps events, then settles the order books that hang on them, also when only that is missing."""
    kept = await on_inputs_changed("event", snapshots, store=store)
    await settle_order_books(store=store, clock=clock, trace=trace)
    return kept

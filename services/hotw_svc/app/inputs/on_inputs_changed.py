"""Use case: keep what the other services own, as they publish it; what hangs on an event follows it."""

from __future__ import annotations

from collections.abc import Sequence

from services.hotw_svc.app.orders.settle_order_books import settle_books
from services.hotw_svc.app.ports import Snapshot, Store
from shared.clock import Clock
from shared.trace import Trace

__all__ = ["RESOURCES", "keep_replicas"]

RESOURCES = ("event", "service", "fleet", "projection", "inventory")
_CHUNK = 500


async def keep_replicas(
    store: Store, clock: Clock, resource: str, snapshots: Sequence[Snapshot], trace: Trace | None = None
) -> set[str]:
    """Keeps the newest snapshot of each key, tombstones too; the keys that got a newer one.

    Idempotent; in any order. After an event the books that hang on it are brought up to date, also when it was kept
    before and only that is missing.
    """
    kept: set[str] = set()
    for start in range(0, len(snapshots), _CHUNK):
        chunk = snapshots[start : start + _CHUNK]
        kept |= await store.write(lambda unit, chunk=chunk: unit.keep(resource, chunk))  # type: ignore[misc]
    if resource == "event":
        await settle_books(store, clock, trace)
    return kept

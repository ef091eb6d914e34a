"""Event handlers' use case: store the newest version of what other services own; order books follow their event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.hotw_svc.app.orders.settle_order_books import settle_order_books
from services.hotw_svc.app.ports import InputKind, Store
from shared.clock import Clock
from shared.durability.read_model import Snapshot
from shared.trace import Trace

_CHUNK: Final = 500  # snapshots in one transaction; each may be some kilobytes


async def on_inputs_changed(kind: InputKind, snapshots: Sequence[Snapshot], *, store: Store) -> None:
    """Stores the newest snapshot of each key, tombstones too. Idempotent, in any order."""
    for start in range(0, len(snapshots), _CHUNK):
        chunk = snapshots[start : start + _CHUNK]
        await store.write(lambda unit, chunk=chunk: unit.inputs.put(kind, chunk))  # type: ignore[misc]


async def on_event_changed(snapshot: Snapshot, trace: Trace, *, store: Store, clock: Clock) -> None:
    """Stores the event, then settles the order books that hang on it, also when only that is missing."""
    await on_inputs_changed(InputKind.EVENT, [snapshot], store=store)
    await settle_order_books(store=store, clock=clock, trace=trace)

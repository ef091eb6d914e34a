"""Event handlers' use case: store the newest version of what other services own; order books follow what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.hotw_svc.app.orders.settle_order_books import settle_order_books
from services.hotw_svc.app.ports import InputKind, Store
from shared.clock import Clock
from shared.durability.read_model import Snapshot
from shared.trace import Trace

_CHUNK: Final = 500  # snapshots in one transaction; each may be some kilobytes


async def on_inputs_changed(
    kind: InputKind, snapshots: Sequence[Snapshot], traces: Mapping[str, Trace], *, store: Store, clock: Clock
) -> None:
    """Stores the newest snapshot of each key, tombstones too. Idempotent, in any order.

    Order books are settled at once where a service or fleet changed so that its part in events may have ended or begun
    (7.9.19 to 7.9.22). ``traces`` are what caused each key's snapshot.
    """
    overtaking: set[str] = set()
    for start in range(0, len(snapshots), _CHUNK):
        chunk = snapshots[start : start + _CHUNK]
        overtaking |= await store.write(lambda unit, chunk=chunk: unit.inputs.put(kind, chunk))  # type: ignore[misc]
    if overtaking:
        await settle_order_books(store=store, clock=clock, trace=traces[min(overtaking)])


async def on_event_changed(snapshot: Snapshot, trace: Trace, *, store: Store, clock: Clock) -> None:
    """Stores the event, then settles the order books that hang on it, also when only that is missing."""
    await store.write(lambda unit: unit.inputs.put(InputKind.EVENT, [snapshot]))
    await settle_order_books(store=store, clock=clock, trace=trace)

"""Use case: Events were created, changed or deleted by event_svc."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet_svc.app.fleets import DEFAULT_BUFFER, Fleets
from shared.documents import State
from shared.schemas.event_svc.event import EventSnapshot


async def on_events_changed(snapshots: Sequence[EventSnapshot], *, fleets: Fleets) -> None:
    """Keeps that these Events are known, and their buffer. A deleted one stays known (4.20). Idempotent."""
    await fleets.events.put([(one.event_id, one.version_id, _kept(one)) for one in snapshots])


def _kept(event: EventSnapshot) -> State:
    return {name: value for name, value in event.wire().items() if name in ("EventId", DEFAULT_BUFFER)}

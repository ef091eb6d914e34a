"""Use case: Events were created, changed or deleted by event_svc."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet_svc.app.fleets import Fleets
from shared.schemas.event_svc.event import EventSnapshot


async def on_events_changed(snapshots: Sequence[EventSnapshot], *, fleets: Fleets) -> None:
    """Keeps that these Events are known. A deleted one stays known (4.20). Idempotent."""
    await fleets.events.put([(one.event_id, one.version_id, {"EventId": one.event_id}) for one in snapshots])

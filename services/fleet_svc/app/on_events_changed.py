"""Use case: Events were created, changed or deleted by event_svc."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet_svc.app.fleets import DEFAULT_BUFFER, Fleets
from services.fleet_svc.app.refresh_bau import EventDays
from services.fleet_svc.domain.bau import days_of_event
from shared.documents import State
from shared.schemas.event_svc.event import EventSnapshot


async def on_events_changed(snapshots: Sequence[EventSnapshot], *, fleets: Fleets, event_days: EventDays) -> None:
    """Keeps that these Events are known, their buffer, and their peak and game days.

    A deleted one stays known (4.20), without days. Idempotent.
    """
    await fleets.events.put([(one.event_id, one.version_id, _kept(one)) for one in snapshots])
    event_days.changed()


def _kept(event: EventSnapshot) -> State:
    known = {name: value for name, value in event.wire().items() if name in ("EventId", DEFAULT_BUFFER)}
    return known if event.deleted else {**known, **days_of_event(event)}

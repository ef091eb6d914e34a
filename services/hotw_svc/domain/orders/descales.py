"""What becomes of a fleet's Descaling overrides: they have no orders, and time starts and ends them (7.12.16)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.override import Override, OverrideStatus


def settle_descales(overrides: Sequence[Override], *, event: EventFacts, now: datetime) -> tuple[Override, ...]:
    """Those of the event that change; idempotent for one `now`.

    Nobody approves them. One that runs when the peak has moved, so that it is not over any more, is cancelled (7.12.2).
    """
    return tuple(_changed([one for one in overrides if one.event_id == event.event_id], event.peak_end, now))


def _changed(overrides: Sequence[Override], peak_end: datetime, now: datetime) -> Iterator[Override]:
    for override in overrides:
        if not override.is_live:
            continue
        if now < peak_end:
            status = OverrideStatus.CANCELLED
        elif override.end <= now:
            status = OverrideStatus.EXPIRED
        else:
            status = OverrideStatus.STARTED
        if status is not override.status:
            yield replace(override, status=status)

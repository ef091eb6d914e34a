"""Whether a run may start, the type of its orders, the fleets it takes, and its cancel (HOTW rules 1 and 13)."""

from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts, ServiceFacts
from services.hotw_svc.domain.wording import listed
from shared.errors import Conflict
from shared.schemas.hotw_svc import OrderType, RunStatus


def order_type(event: EventFacts, now: datetime, asked: OrderType | None = None) -> OrderType:
    """The type that was asked for, else Emergent from EmergentScaleStartDate on, else Standard."""
    if asked is not None:
        return asked
    return OrderType.EMERGENT if now >= event.emergent_from else OrderType.STANDARD


def why_no_upscaling(event: EventFacts, now: datetime) -> str | None:
    """Why nothing may be ordered for the event at all; None when it may."""
    if not event.is_active:
        return f"{event.event_id} is not active."
    if now >= event.peak_end:
        return f"The peak of {event.event_id} ended on {event.peak_end_date}: upscaling is over."
    return None


def check_upscaling(event: EventFacts, now: datetime) -> None:
    """Raises Conflict when a run of the event may not start."""
    reason = why_no_upscaling(event, now)
    if reason is not None:
        raise Conflict(reason, slug="peak-over" if event.is_active else "event-inactive")


def why_outside(event: EventFacts, *, service_id: str, region: str, service: ServiceFacts | None) -> tuple[str, ...]:
    """Why a fleet is not one of the event's, in sentences; nothing when a run of the event takes it."""
    found = []
    if service is None:
        found.append(f"Its service {service_id} is not known.")
    elif not service.is_registered:
        found.append(f"Its service {service_id} is {service.service_type}, not Registered.")
    if region not in event.region_list:
        found.append(f"Its region {region} is not in the RegionList of {event.event_id} ({listed(event.region_list)}).")
    return tuple(found)


def cancelled(status: RunStatus, run_id: int) -> RunStatus:
    """The status of a run after a cancel. Its orders stay. Conflict for a completed run."""
    if status is RunStatus.COMPLETED:
        raise Conflict(f"Run {run_id} is Completed and can no longer be cancelled.", slug="run-completed")
    return RunStatus.CANCELLED

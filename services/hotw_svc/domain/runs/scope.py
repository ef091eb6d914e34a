"""Whether a run may start, the type of its orders, and its cancel (HOTW rules 1 and 13)."""

from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.order import expected_delivery
from shared.errors import Conflict
from shared.schemas.hotw_svc import OrderType, RunStatus


@dataclass(frozen=True, slots=True)
class OrderTypeChoice:
    """The type of a run's orders; `reason` is a sentence for Reasoning where the type is not what the dates say."""

    order_type: OrderType
    reason: str | None = None


def choose_order_type(event: EventFacts, now: datetime, asked: OrderType | None = None) -> OrderTypeChoice:
    """The type that was asked for, else what the dates say (7.1.1 to 7.1.4).

    Orders are Emergent from EmergentScaleStartDate on, and before it when a Standard one would not arrive in time.
    """
    if asked is not None:
        return OrderTypeChoice(asked)
    if now >= event.emergent_from:
        return OrderTypeChoice(OrderType.EMERGENT)
    arrival = expected_delivery(OrderType.STANDARD, now)
    if arrival < event.peak_start_date:
        return OrderTypeChoice(OrderType.STANDARD)
    return OrderTypeChoice(
        OrderType.EMERGENT,
        f"Emergent: a Standard order would arrive on {arrival}, not before the peak, which starts on "
        f"{event.peak_start_date}.",
    )


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


def check_not_ended(status: RunStatus, run_id: int) -> None:
    """Raises Conflict when the run has ended, Completed or Cancelled, and can no longer be cancelled (7.13.7a)."""
    if status is not RunStatus.RUNNING:
        raise Conflict(f"Run {run_id} is {status} and can no longer be cancelled.", slug="run-ended")

"""Which events a slot of the schedule starts a run for (7.0.9 to 7.0.11)."""

from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.instants import shifted
from shared.clock import day_start

_DAYS_BEFORE_PEAK = 60  # from then on, where no region has the day its orders begin (7.0.9a)


def scheduled_from(event: EventFacts) -> datetime:
    """The start of the first SPCOStartDate of any region, else of the day 60 days before the peak."""
    first = [dates.first for dates in event.order_dates.values() if dates.first is not None]
    return day_start(min(first)) if first else shifted(event.peak_start, days=-_DAYS_BEFORE_PEAK)


def takes_slot(event: EventFacts, slot: datetime, now: datetime) -> bool:
    """Whether a slot starts a run for the event, also when it is looked at late: the peak must not be over by then."""
    return event.is_active and scheduled_from(event) <= slot and now < event.peak_end

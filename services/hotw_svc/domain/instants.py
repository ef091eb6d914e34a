"""How UTC days become instants: a start is its 00:00, an end its 24:00; both saturate at the ends of the calendar."""

from datetime import UTC, date, datetime, timedelta

from shared.clock import day_start

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

# EPIC plans no override beyond this instant, the last one that every store can hold.
LAST_PLANNABLE = datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """The instant `day` is over, which belongs to the next day."""
    return shifted(day_start(day), days=1)


def shifted(instant: datetime, *, days: int) -> datetime:
    """`instant` moved by whole days, no further than the calendar goes."""
    try:
        return instant + timedelta(days=days)
    except OverflowError:
        return LATEST if days > 0 else EARLIEST

"""The contract of Calendar: what happens around an Event, and when."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from shared.clock import day_end, day_start
from shared.schemas.base import ID_PATTERN, DayOrInstant, Flag, Id, Name, Snapshot, Text, WireModel, broken_rule
from shared.schemas.resource_contract import ResourceContract

EntryId = Annotated[str, Field(max_length=512, pattern=f"{ID_PATTERN.removesuffix('$')}(#[^\\x00-\\x1f\\x7f]+)?$")]
"""The id of an entry of its own, or that of a date of an Event, ``{EventId}#{what}``."""


class CalendarKind(StrEnum):
    FREEZE = "Freeze"
    GAME_DAY = "GameDay"
    ORDER_DEADLINE = "OrderDeadline"
    PEAK = "Peak"
    OTHER = "Other"


def begin_of(start: date) -> datetime:
    """The instant at which a day or an instant begins (2.17a)."""
    return start if isinstance(start, datetime) else day_start(start)


def end_of(end: date) -> datetime:
    """The instant at which a day or an instant has ended (2.17b)."""
    return end if isinstance(end, datetime) else day_end(end)


def _in_order(start: date, end: date) -> bool:
    """Whether a period may have these: an instant may be both, a day has ended when the next one begins."""
    begin, stop = begin_of(start), end_of(end)
    return begin < stop or (begin == stop and isinstance(end, datetime))


class Calendar(WireModel):
    """An entry of the calendar: from one UTC day to another, both included, or from one instant to another.

    ``CalendarId`` is assigned unless given.
    """

    calendar_id: Id | None = None
    event_id: Id
    title: Name
    kind: CalendarKind
    start: DayOrInstant
    end: DayOrInstant
    region: Name | None = None
    description: Text | None = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if isinstance(self.start, datetime) != isinstance(self.end, datetime):
            raise broken_rule("End", "Start and End must both be days or both be times")
        if not _in_order(self.start, self.end):
            raise broken_rule("Start", "Start must not be after End")
        return self


class CalendarRead(Calendar, Snapshot):
    """An entry as it is read. ``ReadOnly``: it is a date of its Event, whose version it has; change the Event.

    ``Cancelled``: it is a date of an Event that is not active.
    """

    calendar_id: EntryId
    read_only: Flag | None = None
    cancelled: Flag | None = None


class CalendarQuery(WireModel):
    """Which entries are asked for: those that a period touches, of one Event, of one kind."""

    since: DayOrInstant | None = Field(default=None, alias="From")
    to: DayOrInstant | None = None
    event_id: Id | None = None
    kind: CalendarKind | None = None

    @model_validator(mode="after")
    def _is_a_period(self) -> Self:
        if self.since is not None and self.to is not None and not _in_order(self.since, self.to):
            raise broken_rule("From", "From must not be after To")
        return self

    def holds(self, entry: Calendar) -> bool:
        """Whether an entry is asked for. One that ends when the period begins is not; one of no length is."""
        if self.event_id not in (None, entry.event_id) or self.kind not in (None, entry.kind):
            return False
        begin, end = begin_of(entry.start), end_of(entry.end)
        if self.to is not None and begin >= end_of(self.to):
            return False
        return self.since is None or end > begin_of(self.since) or begin == begin_of(self.since)


CALENDAR: Final = ResourceContract(
    model=Calendar,
    owner="event_svc",
    key=("CalendarId",),
    given_read=CalendarRead,
)

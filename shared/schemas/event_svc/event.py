"""The contract of Event: a peak, its dates and its regions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from shared.schemas.base import (
    Count,
    DecimalNumber,
    Flag,
    Id,
    Name,
    Snapshot,
    WireDate,
    WireModel,
    broken_rule,
)
from shared.schemas.eventplan_svc import MilestoneId
from shared.schemas.milestones import DAYS_BEFORE_PEAK
from shared.schemas.numbers import WholeNumber
from shared.schemas.resource_contract import ResourceContract

EMERGENT_DAYS_BEFORE_PEAK: Final = 7
"""From so many days before the peak on an order is Emergent, unless the Event says otherwise (4.420h)."""
OVERRIDE_OFFSET: Final = 1
"""The days that an override begins before the peak and ends after it, unless the Event says otherwise (4.460f, g)."""

Days = Annotated[int, WholeNumber(0, 3650)]
"""Days before a peak. Nobody plans a peak ten years ahead, and so a day before any peak can be reckoned."""


def _dated(milestone_id: Any) -> Any:
    if not isinstance(milestone_id, str) or milestone_id not in DAYS_BEFORE_PEAK:
        raise ValueError(f"give one of {', '.join(DAYS_BEFORE_PEAK)}; a sub-milestone goes by its parent")
    return milestone_id


class MilestoneDays(WireModel):
    """How many days before the peak a milestone is due."""

    event_milestone_id: Annotated[
        MilestoneId,
        BeforeValidator(_dated),
        WithJsonSchema({"type": "string", "enum": [one.value for one in DAYS_BEFORE_PEAK]}),
    ]
    days_before_peak: Days


def _once_each(milestones: Sequence[MilestoneDays]) -> Sequence[MilestoneDays]:
    names = [one.event_milestone_id for one in milestones]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"gives {twice} twice; give each milestone once")
    return milestones


Milestones = Annotated[list[MilestoneDays], Field(max_length=len(DAYS_BEFORE_PEAK)), AfterValidator(_once_each)]
"""The milestones that are not due when they are by default (6.1.7)."""

PROFILE_MEMBERS: Final = (
    "event_type",
    "region_list",
    "milestones",
    "default_buffer_percentage",
    "emergent_days_before_peak",
    "start_offset",
    "end_offset",
)
"""The members that an Event takes from an event profile, and a profile from an Event (4.462, 4.466)."""


class SPCOEventDates(WireModel):
    """When hardware may be ordered in a region, and when its game days are."""

    spco_start_date: WireDate | None = None
    spco_end_date: WireDate | None = None
    game_day_dates: list[WireDate] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.spco_start_date and self.spco_end_date and self.spco_start_date > self.spco_end_date:
            raise broken_rule("SPCOStartDate", "SPCOStartDate must not be after SPCOEndDate")
        return self


class Event(WireModel):
    """A peak, with dates per region. Days are UTC days."""

    event_id: Id
    event_name: Name
    event_type: Name | None = None
    region_list: list[Name] = Field(min_length=1)
    spco_event_dates_by_region: dict[Name, SPCOEventDates] | None = None
    peak_start_date: WireDate
    peak_end_date: WireDate
    is_active: Flag | None = None
    emergent_scale_start_date: WireDate | None = None
    start_offset: Count | None = None
    end_offset: Count | None = None
    milestones: Milestones | None = None
    default_buffer_percentage: DecimalNumber | None = None
    emergent_days_before_peak: Days | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.peak_start_date > self.peak_end_date:
            raise broken_rule("PeakStartDate", "PeakStartDate must not be after PeakEndDate")
        if (self.emergent_scale_start_date or date.min) > self.peak_end_date:
            raise broken_rule("EmergentScaleStartDate", "EmergentScaleStartDate must not be after PeakEndDate")
        return self


class EventCreation(WireModel):
    """What a creation may name beside the Event's members, and what it may leave out then."""

    event_profile_id: Id | None = Field(
        default=None, description="The event profile that gives the members which the request leaves out."
    )
    region_list: list[Name] | None = Field(
        default=None, min_length=1, description="Required where no event profile gives it."
    )


class EventSnapshot(Event, Snapshot):
    """``event.{created,updated,deleted}``: the event as it is stored, without defaults that depend on its dates."""


EVENT: Final = ResourceContract(
    model=Event,
    owner="event_svc",
    key=("EventId",),
    creation=EventCreation,
    given_snapshot=EventSnapshot,
    consumers=("fleet_svc", "eventplan_svc", "hotw_svc", "notify_svc"),
)

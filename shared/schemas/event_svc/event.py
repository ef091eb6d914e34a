"""The contract of Event: a peak, its dates and its regions."""

from __future__ import annotations

from datetime import date
from typing import Final, Self

from pydantic import Field, model_validator

from shared.schemas.base import Count, Flag, Id, Name, Snapshot, WireDate, WireModel, broken_rule
from shared.schemas.resource_contract import ResourceContract


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

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.peak_start_date > self.peak_end_date:
            raise broken_rule("PeakStartDate", "PeakStartDate must not be after PeakEndDate")
        if (self.emergent_scale_start_date or date.min) > self.peak_end_date:
            raise broken_rule("EmergentScaleStartDate", "EmergentScaleStartDate must not be after PeakEndDate")
        return self


class EventSnapshot(Event, Snapshot):
    """``event.{created,updated,deleted}``: the event as it is stored, without defaults that depend on its dates."""


EVENT: Final = ResourceContract(
    model=Event,
    owner="event_svc",
    key=("EventId",),
    given_snapshot=EventSnapshot,
    consumers=("fleet_svc", "eventplan_svc", "hotw_svc", "notify_svc"),
)

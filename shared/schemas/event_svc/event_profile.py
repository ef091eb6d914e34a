"""The contract of EventProfile: what Events of one kind have in common."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from shared.schemas.base import Count, DecimalNumber, Id, Name, WireModel
from shared.schemas.event_svc.event import Days, Milestones
from shared.schemas.resource_contract import ResourceContract


class EventProfile(WireModel):
    """What Events of one kind have in common. An Event that names it at its creation takes its members."""

    event_profile_id: Id
    name: Name
    event_type: Name | None = None
    region_list: list[Name] | None = Field(default=None, min_length=1)
    milestones: Milestones | None = None
    default_buffer_percentage: DecimalNumber | None = None
    emergent_days_before_peak: Days | None = None
    start_offset: Count | None = None
    end_offset: Count | None = None


class EventProfileCreation(WireModel):
    """What a creation may name beside the profile's members."""

    from_event_id: Id | None = Field(
        default=None, description="The Event that gives the members which the request leaves out."
    )


EVENT_PROFILE: Final = ResourceContract(
    model=EventProfile,
    owner="event_svc",
    key=("EventProfileId",),
    creation=EventProfileCreation,
)

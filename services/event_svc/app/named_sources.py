"""Use cases: complete a new Event by the profile that it names, and a new profile by the Event that it names."""

from __future__ import annotations

from typing import Any

from services.event_svc.domain.profiles import completed
from shared.resources import Resources
from shared.schemas.base import WireModel


async def from_profile(creation: Any, *, profiles: Resources[Any]) -> WireModel:
    """The creation of an Event with what it lacks from its profile (4.461). NotFound where there is no such profile."""
    made: WireModel = completed(creation, profiles.model_of(await profiles.latest(creation.event_profile_id)))
    return made


async def from_event(creation: Any, *, events: Resources[Any]) -> WireModel:
    """The creation of a profile with what it lacks from its Event (4.466). NotFound where there is no such Event."""
    made: WireModel = completed(creation, events.model_of(await events.latest(creation.from_event_id)))
    return made

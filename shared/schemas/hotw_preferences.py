"""The contracts of preferred ASGs and of index ids."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.schemas.base import VERSION_MEMBERS, CommandBody, Id, Instant, Name, PositiveCount, WireModel


class StorePreferredASGs(CommandBody):
    """``PUT /hotw/asgsPreference/{EventId}/{FleetId}``: the ASGs that take the fleet's hosts for the event.

    An empty list removes the preference. What only EPIC sets may be sent back as it was read.
    """

    ignored: ClassVar[frozenset[str]] = VERSION_MEMBERS | {"RecordId", "UpdatedBy", "UpdatedAt"}

    event_id: Id
    fleet_id: Id
    asgs: list[Name] = Field(alias="ASGs")


class PreferredAsgsView(WireModel):
    """A fleet's preferred ASGs for an event; none, by nobody, where nobody prefers any."""

    event_id: Id
    fleet_id: Id
    asgs: list[Name] = Field(alias="ASGs")
    updated_by: Name | None
    updated_at: Instant | None


class FleetIndexView(WireModel):
    """The number that stands for a fleet in the tables; it never changes."""

    fleet_id: Id
    fleet_index_id: PositiveCount


class ServiceIndexView(WireModel):
    """The number that stands for a service in the tables; it never changes."""

    service_id: Id
    service_index_id: PositiveCount


class EventIndexView(WireModel):
    """The number that stands for an event in the tables; it never changes."""

    event_id: Id
    event_index_id: PositiveCount

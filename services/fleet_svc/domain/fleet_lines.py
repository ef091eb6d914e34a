"""The lines of a fleet: its own line (the base) and its line for an event, which begins as a copy of the base."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from shared.errors import Conflict, FieldError
from shared.schemas.base import WireModel
from shared.schemas.fleet_svc.fleet import ASGProperty, Fleet

M = TypeVar("M", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Base:
    """A fleet's own line. ``capacity_as_of``: when its ASGs last changed.

    ``opened_for``: the event that the request named which made the fleet. The line for this event is made after the
    base, also when the process dies in between.
    """

    fleet: Fleet
    capacity_as_of: datetime
    opened_for: str | None = None


@dataclass(frozen=True, slots=True)
class EventLine:
    """A fleet's line for an event. ``base_version``: the version of the base that it was copied from."""

    fleet: Fleet
    capacity_as_of: datetime
    base_version: int


def first_base(fleet: Fleet, now: datetime) -> Base:
    """The base of a fleet that is created, by the document that was given."""
    return Base(_with(fleet, event_id=None), now, opened_for=fleet.event_id)


def line_of(base: Base, event_id: str, base_version: int) -> EventLine:
    """An event's line as it begins."""
    return EventLine(_with(base.fleet, event_id=event_id), base.capacity_as_of, base_version)


def change_base(base: Base, after: Fleet, now: datetime) -> Base:
    """The base as a request changes it."""
    return replace(base, fleet=after, capacity_as_of=_capacity_as_of(base, after, now))


def change_line(line: EventLine, after: Fleet, base: Base, now: datetime) -> EventLine:
    """An event's line as a request changes it. Conflict when it would have its own service or region."""
    errors = [
        FieldError(pointer, f"is {of_base} for every event; change it in the fleet's own line")
        for pointer, wanted, of_line, of_base in (
            ("/ServiceId", after.service_id, line.fleet.service_id, base.fleet.service_id),
            (
                "/FleetConfiguration/Region",
                after.fleet_configuration.region,
                line.fleet.fleet_configuration.region,
                base.fleet.fleet_configuration.region,
            ),
        )
        if wanted not in (of_line, of_base)
    ]
    if errors:
        raise Conflict("an event's line cannot have its own service or region", slug="of-the-base", errors=errors)
    changed = replace(line, fleet=after, capacity_as_of=_capacity_as_of(line, after, now))
    return follow_base(changed, base)


def follow_base(line: EventLine, base: Base) -> EventLine:
    """The line with the service and region that its base has now; equal to ``line`` when it has them."""
    configuration = _with(line.fleet.fleet_configuration, region=base.fleet.fleet_configuration.region)
    fleet = _with(line.fleet, service_id=base.fleet.service_id, fleet_configuration=configuration)
    return replace(line, fleet=fleet)


def _capacity_as_of(before: Base | EventLine, after: Fleet, now: datetime) -> datetime:
    return before.capacity_as_of if _capacity(before.fleet) == _capacity(after) else now


def _capacity(fleet: Fleet) -> dict[str, ASGProperty]:
    """The ASGs by name: their order has no meaning."""
    return {asg.auto_scaling_group_name: asg for asg in fleet.fleet_configuration.asg_properties or ()}


def _with(model: M, **changes: Any) -> M:
    return model.model_copy(update=changes)

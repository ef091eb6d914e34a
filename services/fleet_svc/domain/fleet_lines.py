"""The lines of a fleet: its own line (the base) and its line for an event, which begins as a copy of the base."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

from shared.errors import Conflict, FieldError
from shared.schemas.base import Id, Instant, PositiveCount, WireModel
from shared.schemas.fleet_svc.fleet import ASGProperty, CreateFleet, Fleet

M = TypeVar("M", bound=WireModel)

_SETTABLE: Final = ("service_id", "fleet_configuration", "fleet_projection")


class Line(Fleet):
    """A line of a fleet as it is stored. ``capacity_as_of``: when its ASGs last changed.

    ``opened_for``, of a base: the event that the request named which made the fleet. The line for this event is made
    after the base, also when the process dies in between. ``base_version_id``, of an event's line: the version of the
    base that it was copied from.
    """

    capacity_as_of: Instant
    base_version_id: PositiveCount | None = None
    opened_for: Id | None = None


def first_base(command: CreateFleet, now: datetime) -> Line:
    """The base of a fleet that is created."""
    given = {name: getattr(command, name) for name in Fleet.model_fields}
    return Line(**{**given, "event_id": None}, capacity_as_of=now, opened_for=command.event_id)


def line_of(base: Line, event_id: str, base_version: int) -> Line:
    """An event's line as it begins."""
    return _with(base, event_id=event_id, base_version_id=base_version, opened_for=None)


def changed(line: Line, after: Line, now: datetime) -> Line:
    """A line as a request changes it."""
    return after if _capacity(line) == _capacity(after) else _with(after, capacity_as_of=now)


def restored(line: Line, former: Line) -> Line:
    """A line with the members of a former version that a person may set (3.20c)."""
    return _with(line, **{name: getattr(former, name) for name in _SETTABLE})


def change_line(line: Line, after: Line, base: Line, now: datetime) -> Line:
    """An event's line as a request changes it. Conflict when it would have its own service or region."""
    errors = [
        FieldError(pointer, f"is {of_base} for every event; change it in the fleet's own line")
        for pointer, wanted, of_line, of_base in zip(
            ("/ServiceId", "/FleetConfiguration/Region"), place(after), place(line), place(base), strict=True
        )
        if wanted not in (of_line, of_base)
    ]
    if errors:
        raise Conflict("an event's line cannot have its own service or region", slug="of-the-base", errors=errors)
    return follow_base(changed(line, after, now), base)


def follow_base(line: Line, base: Line) -> Line:
    """The line with the service and region that its base has now; equal to ``line`` when it has them."""
    service_id, region = place(base)
    return _with(line, service_id=service_id, fleet_configuration=_with(line.fleet_configuration, region=region))


def place(line: Line) -> tuple[str, str]:
    """The service and region of a line, which are the same for every event."""
    return line.service_id, line.fleet_configuration.region


def _capacity(line: Line) -> dict[str, ASGProperty]:
    """The ASGs by name: their order has no meaning."""
    return {asg.auto_scaling_group_name: asg for asg in line.fleet_configuration.asg_properties or ()}


def _with(model: M, **changes: Any) -> M:
    return model.model_copy(update=changes)

"""Owns what the states of a fleet are: its own line (the base), its lines for events, and when its capacity changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shared.clock import iso
from shared.errors import BadInput, Conflict, FieldError
from shared.resources.states import State, apply, parse
from shared.schemas.fleet_svc import Fleet

__all__ = ["OPENED_FOR", "change_base", "change_line", "first_base", "follow_base", "line_key", "line_of"]

OPENED_FOR: Final = "OpenedFor"
"""The event named by the request that made the base: its line is made with it, whatever happens in between."""

_OF_THE_BASE: Final = (("ServiceId",), ("FleetConfiguration", "Region"))


def line_key(fleet_id: str, event_id: str) -> str:
    """The key of a fleet's line for an event."""
    return f"{fleet_id}#{event_id}"


def first_base(body: Mapping[str, Any], now: datetime) -> State:
    """The base that a request to create a fleet asks for, ``OpenedFor`` the event it names."""
    state = parse(Fleet, body)
    event_id = state.pop("EventId", None)
    return {**state, "CapacityAsOf": iso(now)} | ({OPENED_FOR: event_id} if event_id else {})


def line_of(base: State, event_id: str, base_version: int) -> State:
    """An event's line as it begins: a copy of the base at that version."""
    copied = {name: value for name, value in base.items() if name != OPENED_FOR}
    return {**copied, "EventId": event_id, "BaseVersionId": base_version}


def change_base(state: State, patch: Mapping[str, Any], now: datetime) -> State:
    """The base after a merge patch. BadInput when the patch names an event: that is another line."""
    event_id = patch.get("EventId")
    if event_id is not None:
        error = FieldError("/EventId", f"is of an event's line; PUT /fleet/{{FleetId}}/{event_id}, or leave it out")
        raise BadInput("the fleet's own line has no EventId", [error])
    return _changed(state, patch, now)


def change_line(line: State, patch: Mapping[str, Any], base: State, now: datetime) -> State:
    """An event's line after a merge patch. Conflict when it would be another service's, or in another region."""
    after = _changed(line, patch, now)
    errors = [
        FieldError("/" + "/".join(path), f"is {_at(base, path)} for every event; change it by PUT /fleet/{{FleetId}}")
        for path in _OF_THE_BASE
        if _at(after, path) not in (_at(line, path), _at(base, path))
    ]
    if errors:
        raise Conflict("an event's line cannot have its own service or region", slug="of-the-base", errors=errors)
    return follow_base(after, base)


def follow_base(line: State, base: State) -> State:
    """The line with the service and region that its base has now; equal to ``line`` when it has them."""
    region = base["FleetConfiguration"]["Region"]
    configuration = {**line["FleetConfiguration"], "Region": region}
    return {**line, "ServiceId": base["ServiceId"], "FleetConfiguration": configuration}


def _changed(state: State, patch: Mapping[str, Any], now: datetime) -> State:
    managed = {name: state[name] for name in ("BaseVersionId", "CapacityAsOf", OPENED_FOR) if name in state}
    after = apply(Fleet, {name: value for name, value in state.items() if name != OPENED_FOR}, patch)
    if _capacity(after) != _capacity(state):
        managed["CapacityAsOf"] = iso(now)
    return after | managed


def _capacity(state: State) -> dict[str, Any]:
    """The ASGs by name: their order says nothing."""
    return {asg["AutoScalingGroupName"]: asg for asg in state["FleetConfiguration"].get("ASGProperties", ())}


def _at(state: State, path: tuple[str, ...]) -> Any:
    value: Any = state
    for name in path:
        value = value[name]
    return value

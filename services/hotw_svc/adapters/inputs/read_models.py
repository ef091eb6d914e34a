"""The read models of HOTW: the newest version of each resource of other services that it works from or shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

import orjson
from sqlalchemy import Boolean, ColumnElement, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import facts
from services.hotw_svc.app.ports import InputKind
from services.hotw_svc.domain.custom_inputs import CustomInputFacts
from services.hotw_svc.domain.fleet_status import HARDWARE_MILESTONES, HardwareMilestone
from services.hotw_svc.domain.inputs import EventFacts
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.orders.override import Window
from shared.durability.read_model import State
from shared.relational import ReadModelTable, short_text, slices
from shared.schemas.eventplan_svc import EventPlan, MilestoneId, MilestoneStatus
from shared.schemas.fleet_svc.custom_input import CustomInputSnapshot
from shared.schemas.fleet_svc.exception import EXCEPTION
from shared.schemas.fleet_svc.service import ServiceType

REGION: Final = "FleetConfiguration.Region"

EVENTS: Final = ReadModelTable("event")
SERVICES: Final = ReadModelTable(
    "service", {"ServiceType": short_text(16), "Owner": short_text(), "LeaderAlias": short_text()}
)
FLEETS: Final = ReadModelTable("fleet", {"ServiceId": short_text(), REGION: short_text()})
"""A fleet's own line has its FleetId as the key, its line for an event ``FleetId#EventId``."""
PHILOSOPHIES: Final = ReadModelTable("philosophy")
EXCEPTIONS: Final = ReadModelTable("exception")
PROJECTIONS: Final = ReadModelTable("projection")
INVENTORIES: Final = ReadModelTable("inventory")
"""The version of an inventory is its AsOf, in milliseconds since 1970."""
BAU_TRAFFIC: Final = ReadModelTable("bau_traffic")
"""The BAUTPM of a fleet, by FleetId."""
CUSTOM_INPUTS: Final = ReadModelTable("custom_input", {"Scope": short_text(257)})
"""By CustomInputId. Its scope, two ids of 128 characters, is added to what is kept of one (``custom_input_state``)."""
CUSTOM_FORMULAS: Final = ReadModelTable("custom_formula")
APPROVAL_RULES: Final = ReadModelTable("approval_rule", {"Enabled": Boolean()})
PLANS: Final = ReadModelTable("plan")
"""Of a plan only the hardware milestones are kept (``plan_state``)."""

READ_MODELS: Final = {
    InputKind.EVENT: EVENTS,
    InputKind.SERVICE: SERVICES,
    InputKind.PHILOSOPHY: PHILOSOPHIES,
    InputKind.FLEET: FLEETS,
    InputKind.EXCEPTION: EXCEPTIONS,
    InputKind.PROJECTION: PROJECTIONS,
    InputKind.INVENTORY: INVENTORIES,
    InputKind.BAU_TRAFFIC: BAU_TRAFFIC,
    InputKind.PLAN: PLANS,
    InputKind.CUSTOM_INPUT: CUSTOM_INPUTS,
    InputKind.CUSTOM_FORMULA: CUSTOM_FORMULAS,
    InputKind.APPROVAL_RULE: APPROVAL_RULES,
}
_DECIDING: Final = {InputKind.SERVICE: ("ServiceType",), InputKind.FLEET: ("ServiceId", REGION)}
"""The filters of a read model that decide which events a fleet takes part in."""

UNKNOWN: Final = {InputKind.SERVICE: (False, ServiceType.REGISTERED.value)}
"""The membership that is presumed of what is not known: a service withdraws no fleet before its own event arrives."""


async def event(connection: AsyncConnection, event_id: str, *, deleted_too: bool) -> EventFacts | None:
    """The event, None when it is not known. ``deleted_too``: a deleted one as well, which is then not active."""
    row = (await EVENTS.rows(connection, [event_id])).get(event_id)
    if row is None or (row.Deleted and not deleted_too):
        return None
    found = facts.event_facts(state_of(row))
    return replace(found, is_active=False) if row.Deleted else found


async def override_windows(connection: AsyncConnection, event_ids: Collection[str]) -> dict[str, Window]:
    """By event, the window that its overrides are planned for; one statement, whether or not the event was deleted."""
    rows = await EVENTS.rows(connection, sorted(event_ids))
    return {event_id: facts.event_facts(state_of(row)).override_window for event_id, row in rows.items()}


async def approval_rules(connection: AsyncConnection) -> tuple[ApprovalRule, ...]:
    """The rules that are enabled; one statement."""
    table = APPROVAL_RULES.table
    rows = await connection.execute(
        select(table.c.State).where(APPROVAL_RULES.is_present, table.c["Enabled"].is_not(False))
    )
    return tuple(facts.approval_rule(orjson.loads(state)) for state in rows.scalars())


def is_event_fleet(regions: Iterable[str]) -> ColumnElement[bool]:
    """Whether a row of ``FLEETS``, joined to its service's of ``SERVICES``, belongs to an event of these regions.

    The domain's ``why_outside`` gives the reasons for the others.
    """
    fleet, service = FLEETS.table, SERVICES.table
    return and_(
        FLEETS.is_present,
        fleet.c[REGION].in_(list(regions)),
        SERVICES.is_present,
        service.c.ServiceType == ServiceType.REGISTERED.value,
    )


def event_fleets(regions: Iterable[str]) -> Select[Any]:
    """The fleets that belong to an event of these regions, as FleetIndexId, FleetId and ServiceId."""
    fleet, service = FLEETS.table, SERVICES.table
    return (
        select(t.fleet_index.c.FleetIndexId, t.fleet_index.c.FleetId, fleet.c.ServiceId)
        .join(fleet, fleet.c.Key == t.fleet_index.c.FleetId)
        .join(service, service.c.Key == fleet.c.ServiceId)
        .where(is_event_fleet(regions))
    )


async def fleet_lines(
    connection: AsyncConnection, fleet_ids: Iterable[str], event_id: str
) -> dict[str, tuple[Any, Any]]:
    """For each fleet the rows of its own line and of its line for the event; a deleted event's line is None."""
    wanted = list(fleet_ids)
    keys = [key for fleet_id in wanted for key in (fleet_id, f"{fleet_id}#{event_id}")]
    rows = await FLEETS.rows(connection, keys)
    lines = {}
    for fleet_id in wanted:
        line = rows.get(f"{fleet_id}#{event_id}")
        lines[fleet_id] = (rows.get(fleet_id), None if line is None or line.Deleted else line)
    return lines


async def memberships(connection: AsyncConnection, kind: InputKind, keys: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """By key, what decides the events that a service's fleets, or a fleet, take part in; nothing for other kinds.

    A fleet's line for an event is left out: its service and region are those of the base.
    """
    if kind not in _DECIDING:
        return {}
    table = READ_MODELS[kind].table
    columns = [table.c[name] for name in ("Key", "Deleted", *_DECIDING[kind])]
    found: dict[str, tuple[Any, ...]] = {}
    for some in slices([key for key in dict.fromkeys(keys) if "#" not in key]):
        rows = await connection.execute(select(*columns).where(table.c.Key.in_(some)))
        found.update((row.Key, tuple(row)[1:]) for row in rows)
    return found


async def fleets_of(connection: AsyncConnection, service_ids: Iterable[str]) -> list[str]:
    """The fleets of some services, the deleted ones too."""
    fleet = FLEETS.table
    rows = await connection.execute(select(fleet.c.Key).where(fleet.c.ServiceId.in_(list(service_ids))))
    return [key for key in rows.scalars() if "#" not in key]


def projection_key(fleet_id: str, event_id: str) -> str:
    """The key of the projection that a run plans by."""
    return f"{fleet_id}#{event_id}#Peak"


def exception_key(fleet_id: str, event_id: str) -> str:
    """The key of the exception that a fleet has for an event."""
    return EXCEPTION.key_in({"FleetId": fleet_id, "EventId": event_id})


def custom_input_scope(event_id: str, fleet_id: str | None) -> str:
    """Which fleets of which event a custom input is for; without a fleet, all of them."""
    return f"{event_id}#{fleet_id or ''}"


def custom_input_state(custom_input: CustomInputSnapshot) -> State:
    """What is kept of a custom input: all of it, and its scope."""
    return custom_input.wire() | {"Scope": custom_input_scope(custom_input.event_id, custom_input.fleet_id)}


async def custom_inputs(
    connection: AsyncConnection, event_id: str, fleet_ids: Iterable[str]
) -> dict[str, tuple[CustomInputFacts, ...]]:
    """By fleet, the custom inputs for the event: its own and those for all fleets. A fleet without any is left out."""
    of_all, own = await _scoped(connection, event_id, fleet_ids)
    if not of_all and not own:
        return {}
    found = {fleet_id: (*of_all, *own.get(fleet_id, ())) for fleet_id in fleet_ids}
    return {fleet_id: given for fleet_id, given in found.items() if given}


async def _scoped(
    connection: AsyncConnection, event_id: str, fleet_ids: Iterable[str]
) -> tuple[list[CustomInputFacts], dict[str, list[CustomInputFacts]]]:
    table = CUSTOM_INPUTS.table
    of_all: list[CustomInputFacts] = []
    own: dict[str, list[CustomInputFacts]] = {}
    scopes = [custom_input_scope(event_id, fleet_id) for fleet_id in (None, *fleet_ids)]
    for some in slices(scopes):
        query = select(table.c.State).where(table.c.Scope.in_(some), CUSTOM_INPUTS.is_present)
        for row in await connection.execute(query):
            state = state_of(row)
            given = facts.custom_input_facts(state)
            (of_all if given.of_all_fleets else own.setdefault(state["FleetId"], [])).append(given)
    return of_all, own


def plan_key(event_id: str, fleet_id: str) -> str:
    """The key of a fleet's plan for an event."""
    return f"{event_id}#{fleet_id}"


def plan_state(plan: EventPlan) -> State:
    """What is kept of a plan: the status and message of its hardware milestones, in their order (7.17.14)."""
    leaves = [leaf for milestone in plan.event_milestone for leaf in milestone.sub_milestones or (milestone,)]
    kept = [
        (leaf.event_milestone_id, leaf.milestone_completion_status, leaf.milestone_message)
        for leaf in leaves
        if leaf.event_milestone_id in HARDWARE_MILESTONES
    ]
    return {"HardwareMilestones": kept}


def hardware_milestones(state: str) -> list[HardwareMilestone]:
    """The hardware milestones in the stored ``plan_state`` of a plan."""
    kept = orjson.loads(state)["HardwareMilestones"]
    return [HardwareMilestone(MilestoneId(name), MilestoneStatus(status), message) for name, status, message in kept]


def state_of(row: Any) -> Any:
    """The resource in a read model's row; None for no row."""
    return None if row is None else orjson.loads(row.State)

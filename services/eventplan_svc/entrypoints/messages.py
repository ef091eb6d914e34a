"""Owns what eventplan_svc consumes: others' events into plans, and the commands that may change one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from services.eventplan_svc.app import UseCases
from services.eventplan_svc.app.change_plan import ChangePlan
from services.eventplan_svc.app.knowledge import FactNotes, is_base_line
from shared.cause import Cause
from shared.documents.contract import Written
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Received, Subscribed, Subscription, bulk, each
from shared.schemas.base import WireModel
from shared.schemas.event_svc import EventSnapshot
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    PlanCommand,
    ReplaceMilestones,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.schemas.fleet_svc import FleetSnapshot, ServiceSnapshot
from shared.trace import Trace

__all__ = ["BOARD_GROUPS", "subscriptions"]

_EVENTS: Final = ("event.created", "event.updated", "event.deleted")
_SERVICES: Final = ("service.created", "service.updated", "service.deleted")
_FLEETS: Final = ("fleet.created", "fleet.updated", "fleet.deleted")
_PROJECTIONS: Final = ("projection.created", "projection.updated", "projection.deleted")
_HARDWARE: Final = (
    "hotw.execution.completed",
    "hotw.order.placed",
    "hotw.order.reviewed",
    "hotw.order.expired",
    "hotw.fulfillment.updated",
)
_SERVICES_GROUP: Final = "eventplan_svc.services"
_FLEETS_GROUP: Final = "eventplan_svc.fleets"

BOARD_GROUPS: Final = {_SERVICES_GROUP: _SERVICES, _FLEETS_GROUP: _FLEETS}
"""The groups whose topics the readiness board follows as well."""


def subscriptions(use_cases: UseCases) -> list[Subscribed]:
    """All of them, each under a group of its own, so that a great event holds up no fact."""
    return [
        Subscription("eventplan_svc.events", each(EventSnapshot, _EVENTS, _Events(use_cases))),
        Subscription(_SERVICES_GROUP, bulk(ServiceSnapshot, _SERVICES, _Services(use_cases))),
        Subscription(_FLEETS_GROUP, bulk(FleetSnapshot, _FLEETS, _Fleets(use_cases))),
        Subscription("eventplan_svc.facts", bulk(WireModel, (*_PROJECTIONS, *_HARDWARE), _Facts(use_cases))),
        CommandSubscription("eventplan.commands", _commands(use_cases)),
    ]


class _Handler:
    def __init__(self, use_cases: UseCases) -> None:
        self.use_cases = use_cases


class _Events(_Handler):
    async def __call__(self, received: Received[EventSnapshot]) -> None:
        await self.use_cases.hear_of_event(received.message.body(), received.effect)


class _Services(_Handler):
    async def __call__(self, batch: Sequence[Received[ServiceSnapshot]]) -> None:
        traces = {received.data.service_id: received.effect for received in batch}
        await self.use_cases.hear_of_services([received.message.body() for received in batch], traces)


class _Fleets(_Handler):
    async def __call__(self, batch: Sequence[Received[FleetSnapshot]]) -> None:
        base = [(received, received.message.body()) for received in batch]
        base = [(received, body) for received, body in base if is_base_line(body)]
        traces = {received.data.fleet_id: received.effect for received, _ in base}
        await self.use_cases.hear_of_fleets([body for _, body in base], traces)


class _Facts(_Handler):
    async def __call__(self, batch: Sequence[Received[WireModel]]) -> None:
        notes, traces = FactNotes(), dict[str, Trace]()
        for received in batch:
            about_hardware = received.record.topic in _HARDWARE
            key = (notes.note_hardware if about_hardware else notes.note_projection)(received.message.body())
            if key is not None:
                traces[key] = received.effect
        await self.use_cases.hear_facts(notes, traces)


def _commands(use_cases: UseCases) -> list[Command[Any]]:
    async def create(command: CreateEventPlan, cause: Cause) -> Written:
        return await use_cases.create_plan(command.given(), cause)

    def change(use_case: ChangePlan) -> Callable[[PlanCommand, Cause], Awaitable[Written]]:
        async def changed(command: PlanCommand, cause: Cause) -> Written:
            return await use_case(command.event_id, command.fleet_id, command.given(), cause, cause.expected_version)

        return changed

    return [
        Command(CreateEventPlan, create, "eventplan.create"),
        Command(SetMilestoneStatus, change(use_cases.set_milestone_status), "milestone.update"),
        Command(SetMilestone, change(use_cases.set_milestone), "milestone.update"),
        Command(ReplaceMilestones, change(use_cases.replace_milestones), "milestone.update"),
    ]

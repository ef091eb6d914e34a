"""Owns what eventplan_svc consumes: others' events into plans, and the commands that may change one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from services.eventplan_svc.app import UseCases
from services.eventplan_svc.app.change_plan import ChangePlan
from services.eventplan_svc.app.create_plan import BESIDE
from services.eventplan_svc.app.knowledge import FactNotes, is_base_line
from shared.clock import Clock
from shared.messaging.subscription import (
    Answered,
    Command,
    CommandSubscription,
    Received,
    Subscribed,
    Subscription,
    bulk,
    each,
)
from shared.resources import answered, expected_version
from shared.schemas.base import WireModel
from shared.schemas.eventplan_svc import CreateEventPlan, ReplaceMilestones, SetMilestone, SetMilestoneStatus
from shared.trace import Trace
from shared.web import reason_of

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


def subscriptions(use_cases: UseCases, clock: Clock) -> list[Subscribed]:
    """All of them, each under a group of its own, so that a great event holds up no fact."""
    return [
        Subscription("eventplan_svc.events", _EVENTS, each(_Events(use_cases))),
        Subscription(_SERVICES_GROUP, _SERVICES, bulk(_Services(use_cases))),
        Subscription(_FLEETS_GROUP, _FLEETS, bulk(_Fleets(use_cases))),
        Subscription("eventplan_svc.facts", (*_PROJECTIONS, *_HARDWARE), bulk(_Facts(use_cases))),
        CommandSubscription("eventplan.commands", _commands(use_cases, clock)),
    ]


class _Handler:
    def __init__(self, use_cases: UseCases) -> None:
        self.use_cases = use_cases


class _Events(_Handler):
    async def __call__(self, received: Received) -> None:
        await self.use_cases.hear_of_event(received.body, _trace(received))


class _Services(_Handler):
    async def __call__(self, batch: Sequence[Received]) -> None:
        traces = {received.body["ServiceId"]: _trace(received) for received in batch}
        await self.use_cases.hear_of_services([received.body for received in batch], traces)


class _Fleets(_Handler):
    async def __call__(self, batch: Sequence[Received]) -> None:
        base = [received for received in batch if is_base_line(received.body)]
        traces = {received.body["FleetId"]: _trace(received) for received in base}
        await self.use_cases.hear_of_fleets([received.body for received in base], traces)


class _Facts(_Handler):
    async def __call__(self, batch: Sequence[Received]) -> None:
        notes, traces = FactNotes(), dict[str, Trace]()
        for received in batch:
            about_hardware = received.message.topic in _HARDWARE
            key = (notes.note_hardware if about_hardware else notes.note_projection)(received.body)
            if key is not None:
                traces[key] = _trace(received)
        await self.use_cases.hear_facts(notes, traces)


def _trace(received: Received) -> Trace:
    return received.message.trace.caused_by(received.message.id)


def _commands(use_cases: UseCases, clock: Clock) -> Mapping[str, Command]:
    async def create(received: Received) -> Answered:
        reason_of(received.body)
        return answered(await use_cases.create_plan(received.body, received.cause(clock)))

    def change(use_case: ChangePlan) -> Callable[[Received], Awaitable[Answered]]:
        async def changed(received: Received) -> Answered:
            reason_of(received.body)
            event_id, fleet_id = received.body["EventId"], received.body["FleetId"]
            expected = expected_version(received)
            return answered(await use_case(event_id, fleet_id, received.body, received.cause(clock), expected))

        return changed

    changes: dict[type[WireModel], ChangePlan] = {
        SetMilestoneStatus: use_cases.set_milestone_status,
        SetMilestone: use_cases.set_milestone,
        ReplaceMilestones: use_cases.replace_milestones,
    }
    return {
        "CreateEventPlan": Command(CreateEventPlan, create, BESIDE),
        **{model.__name__: Command(model, change(use_case), BESIDE) for model, use_case in changes.items()},
    }

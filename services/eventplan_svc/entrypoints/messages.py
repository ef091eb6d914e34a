"""What eventplan_svc consumes: the events that plans are computed from, commands, and what the readiness view shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Handler, Received, Subscribed, Subscription
from shared.schemas.base import WireModel
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.organization import OrganizationSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.trace import Trace

M = TypeVar("M", bound=WireModel)
Changes = Sequence[tuple[M, Trace]]

_EVENTS: Final = ("event.created", "event.updated", "event.deleted")
_SERVICES: Final = ("service.created", "service.updated", "service.deleted")
_FLEETS: Final = ("fleet.created", "fleet.updated", "fleet.deleted")
_ORGANIZATIONS: Final = ("organization.created", "organization.updated", "organization.deleted")
_FACTS: Final = (
    "projection.created",
    "projection.updated",
    "projection.deleted",
    "hotw.execution.completed",
    "hotw.order.placed",
    "hotw.order.reviewed",
    "hotw.order.expired",
    "hotw.fulfillment.updated",
    "traffic.bau.changed",
    "hotw.gap.opened",
    "hotw.gap.closed",
    "throttling.created",
    "throttling.updated",
    "throttling.deleted",
    "throttling.applied",
    "notification.sent",
    "notification.failed",
)
_PLANS: Final = ("eventplan.created", "eventplan.updated")
_SERVICES_GROUP: Final = "eventplan_svc.services"
_FLEETS_GROUP: Final = "eventplan_svc.fleets"
_ORGANIZATIONS_GROUP: Final = "eventplan_svc.organizations"

VIEW_STORED_BY: Final[Mapping[str, str | None]] = {
    **dict.fromkeys(_PLANS),
    **dict.fromkeys(_SERVICES, _SERVICES_GROUP),
    **dict.fromkeys(_FLEETS, _FLEETS_GROUP),
    **dict.fromkeys(_ORGANIZATIONS, _ORGANIZATIONS_GROUP),
}
"""The topics that the readiness view shows, each with the consumer group that takes it into the store; None: plans are
stored before they are published."""


def subscriptions(
    commands: Sequence[Command[Any]],
    *,
    on_event_changed: Callable[[EventSnapshot, Trace], Awaitable[None]],
    on_services_changed: Callable[[Changes[ServiceSnapshot]], Awaitable[None]],
    on_fleets_changed: Callable[[Changes[FleetSnapshot]], Awaitable[None]],
    on_organizations_changed: Callable[[Sequence[OrganizationSnapshot]], Awaitable[None]],
    on_facts_changed: Callable[[Changes[WireModel]], Awaitable[None]],
) -> list[Subscribed]:
    """All of them. Each has a group of its own, so that an event with many plans delays no fact."""

    async def organizations(batch: Sequence[Received[OrganizationSnapshot]]) -> None:
        await on_organizations_changed([received.data for received in batch])

    return [
        Subscription(
            "eventplan_svc.events",
            Handler(EventSnapshot, _EVENTS, each=lambda event: on_event_changed(event.data, event.effect)),
        ),
        Subscription(_SERVICES_GROUP, Handler(ServiceSnapshot, _SERVICES, bulk=_changes(on_services_changed))),
        Subscription(_FLEETS_GROUP, Handler(FleetSnapshot, _FLEETS, bulk=_changes(on_fleets_changed))),
        Subscription(_ORGANIZATIONS_GROUP, Handler(OrganizationSnapshot, _ORGANIZATIONS, bulk=organizations)),
        Subscription("eventplan_svc.facts", Handler(WireModel, _FACTS, bulk=_changes(on_facts_changed))),
        CommandSubscription("eventplan.commands", commands),
    ]


def _changes(use_case: Callable[[Changes[M]], Awaitable[None]]) -> Callable[[Sequence[Received[M]]], Awaitable[None]]:
    async def changed(batch: Sequence[Received[M]]) -> None:
        await use_case([(received.data, received.effect) for received in batch])

    return changed

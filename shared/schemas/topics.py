"""Owns the registry of topics: for each its owner, key, messages, producers, consumers, partitions and retention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.schemas import event_svc, eventplan_svc, fleet_svc, hotw_svc, notify_svc
from shared.schemas.base import WireModel
from shared.schemas.results import CommandResult, DeadLetter

__all__ = [
    "COMMAND_RESULTS",
    "SERVICES",
    "TOPICS",
    "MessageType",
    "Topic",
    "consumed_by",
    "dead_letters_of",
    "topic_of",
]

SERVICES: Final = ("fleet_svc", "event_svc", "eventplan_svc", "hotw_svc", "notify_svc")
COMMAND_RESULTS: Final = "command.results"

_DAY_MS: Final = 86_400_000
_COMPACTED: Final = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * _DAY_MS)}
_SEVEN_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
_THIRTY_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)}


@dataclass(frozen=True, slots=True)
class MessageType:
    """One ``ce_type``: its data's contract and what it says in a sentence."""

    ce_type: str
    model: type[WireModel]
    summary: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``key`` says in words what its records are keyed by; ``config`` is Kafka's own."""

    name: str
    owner: str
    key: str
    messages: tuple[MessageType, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int
    config: dict[str, str]

    def message(self, ce_type: str) -> MessageType | None:
        return next((message for message in self.messages if message.ce_type == ce_type), None)


def _event(
    name: str, owner: str, model: type[WireModel], key: str, consumers: str, summary: str, *, partitions: int = 3,
    config: dict[str, str] = _COMPACTED,
) -> Topic:  # fmt: skip
    message = MessageType(name, model, summary)
    return Topic(name, owner, key, (message,), (owner,), tuple(consumers.split()), partitions, config)


def _snapshots(
    resource: str, owner: str, model: type[WireModel], key: str, consumers: str, *, partitions: int = 3,
    verbs: str = "created updated deleted",
) -> list[Topic]:  # fmt: skip
    said = {"created": "came to be", "updated": "has a new version", "deleted": "was deleted (a tombstone version)"}
    return [
        _event(f"{resource}.{verb}", owner, model, key, consumers, f"A {resource} {said[verb]}: the full snapshot.",
               partitions=partitions)
        for verb in verbs.split()
    ]  # fmt: skip


def _commands(name: str, owner: str, key: str, models: list[type[WireModel]], *, partitions: int = 3) -> Topic:
    messages = tuple(
        MessageType(model.__name__, model, (model.__doc__ or f"{model.__name__}, as over HTTP.").split("\n")[0])
        for model in models
    )
    return Topic(name, owner, key, messages, ("anyone",), (owner,), partitions, _SEVEN_DAYS)


_FACT_KEY: Final = "{EventId}#{FleetId}#{Purpose}"
_REPLICAS: Final = "eventplan_svc hotw_svc"

TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in [
        *_snapshots("service", "fleet_svc", fleet_svc.ServiceSnapshot, "ServiceId", f"{_REPLICAS} notify_svc"),
        *_snapshots("fleet", "fleet_svc", fleet_svc.FleetSnapshot, "FleetId, or {FleetId}#{EventId} of an event's line",
                    _REPLICAS, partitions=12),
        *_snapshots("projection", "fleet_svc", fleet_svc.ProjectionSnapshot, "{FleetId}#{EventId}#{ProjectionType}",
                    _REPLICAS, partitions=12),
        _event("fleet.inventory.reported", "fleet_svc", fleet_svc.InventoryReported, "FleetId", "hotw_svc",
               "Somebody counted the hosts a fleet has.", partitions=12),
        *_snapshots("event", "event_svc", event_svc.EventSnapshot, "EventId", f"{_REPLICAS} notify_svc"),
        *_snapshots("eventplan", "eventplan_svc", eventplan_svc.EventPlanSnapshot, "{EventId}#{FleetId}",
                    "eventplan_svc", partitions=12, verbs="created updated"),
        _event("eventplan.ready", "eventplan_svc", eventplan_svc.EventPlanSnapshot, "{EventId}#{FleetId}", "",
               "Every milestone of a plan turned Green.", partitions=12, config=_THIRTY_DAYS),
        _event("hotw.run.started", "hotw_svc", hotw_svc.RunFact, "RunId", "", "A run began.", partitions=12,
               config=_THIRTY_DAYS),
        _event("hotw.run.completed", "hotw_svc", hotw_svc.RunFact, "RunId", "notify_svc",
               "Every fleet of a run has its execution.", partitions=12, config=_THIRTY_DAYS),
        _event("hotw.run.cancelled", "hotw_svc", hotw_svc.RunFact, "RunId", "", "A run was stopped by hand.",
               partitions=12, config=_THIRTY_DAYS),
        _event("hotw.execution.completed", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "eventplan_svc",
               "One fleet's need was worked out.", partitions=12),
        _event("hotw.order.placed", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "eventplan_svc fleet_svc notify_svc",
               "An execution ordered hosts.", partitions=12),
        _event("hotw.order.reviewed", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY,
               "eventplan_svc fleet_svc notify_svc",
               "An order was decided on, or is left open by an event made inactive or deleted.", partitions=12),
        _event("hotw.order.expired", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "eventplan_svc fleet_svc",
               "An order's window ended before all of it was delivered.", partitions=12),
        _event("hotw.fulfillment.updated", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "eventplan_svc fleet_svc",
               "Hosts of an order were delivered.", partitions=12),
        _event("hotw.override.started", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "",
               "An approved override's window began.", partitions=12),
        _event("hotw.override.expired", "hotw_svc", hotw_svc.HardwareFact, _FACT_KEY, "",
               "An override's window ended.", partitions=12),
        *_snapshots("ticket", "notify_svc", notify_svc.TicketSnapshot, "TicketId", ""),
        _event("ticket.escalated", "notify_svc", notify_svc.TicketSnapshot, "TicketId", "",
               "A ticket's severity was raised.", config=_THIRTY_DAYS),
        _event("notification.sent", "notify_svc", notify_svc.NotificationSnapshot, "NotificationId", "",
               "A mail was handed over.", config=_THIRTY_DAYS),
        _event("notification.failed", "notify_svc", notify_svc.NotificationSnapshot, "NotificationId", "",
               "A mail could not be sent, and will not be tried again.", config=_THIRTY_DAYS),
        _commands("fleet.commands", "fleet_svc", "FleetId or ServiceId", [
            fleet_svc.CreateService, fleet_svc.UpdateService, fleet_svc.DeleteService, fleet_svc.CreateFleet,
            fleet_svc.UpdateFleet, fleet_svc.DeleteFleet, fleet_svc.ReportInventory, fleet_svc.CreateProjection,
            fleet_svc.UpdateProjection, fleet_svc.DeleteProjection], partitions=12),
        _commands("event.commands", "event_svc", "EventId", [
            event_svc.CreateEvent, event_svc.UpdateEvent, event_svc.DeleteEvent]),
        _commands("eventplan.commands", "eventplan_svc", "FleetId", [
            eventplan_svc.CreateEventPlan, eventplan_svc.SetMilestoneStatus, eventplan_svc.SetMilestone,
            eventplan_svc.ReplaceMilestones], partitions=12),
        _commands("hotw.commands", "hotw_svc", "FleetId or EventId", [
            hotw_svc.StartRun, hotw_svc.CancelRun, hotw_svc.ExecuteFleet, hotw_svc.ReviewOrder,
            hotw_svc.ReportDelivery], partitions=12),
        _commands("notify.commands", "notify_svc", "TicketId or ServiceId", [
            notify_svc.CreateTicket, notify_svc.UpdateTicket, notify_svc.DeleteTicket, notify_svc.EscalateTicket]),
        Topic(COMMAND_RESULTS, "kit", "the command's key",
              (MessageType("*", CommandResult, "The answer of a command; its ce_type is the command's."),),
              SERVICES, ("anyone",), 12, _SEVEN_DAYS),
        *(Topic(f"{service}.dlq", service, "the dead record's own",
                (MessageType("DeadLetter", DeadLetter, f"A record {service} can never handle."),),
                (service,), (service,), 3, _THIRTY_DAYS) for service in SERVICES),
    ]
}  # fmt: skip


def topic_of(name: str) -> Topic:
    """The topic of that name. KeyError when there is none."""
    return TOPICS[name]


def consumed_by(service: str) -> list[Topic]:
    """Every topic a service consumes, in the registry's order."""
    return [topic for topic in TOPICS.values() if service in topic.consumers]


def dead_letters_of(service: str) -> str:
    """The name of a service's dead letter topic."""
    return f"{service}.dlq"

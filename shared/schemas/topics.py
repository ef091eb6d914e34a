"""The registry of topics: those of the resources, found through their contracts, and all others."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from shared.schemas import eventplan_svc, hotw_svc
from shared.schemas.base import WireModel
from shared.schemas.fleet_svc.fleet import InventoryReported
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.results import CommandResult, DeadLetter
from shared.schemas.topic_types import (
    COMPACTED,
    SEVEN_DAYS,
    THIRTY_DAYS,
    MessageType,
    Topic,
    commands_topic,
    event_topic,
)

SERVICES: Final = ("fleet_svc", "event_svc", "eventplan_svc", "hotw_svc", "notify_svc")
COMMAND_RESULTS: Final = "command.results"


def _resource_contracts() -> dict[str, list[ResourceContract[Any]]]:
    """The contracts of every service's resources, found in the modules of its package."""
    found: dict[str, list[ResourceContract[Any]]] = {}
    for service in SERVICES:
        package = import_module(f"{__package__}.{service}")
        names = [f"{package.__name__}.{info.name}" for info in iter_modules(getattr(package, "__path__", ()))]
        modules = [package, *map(import_module, names)]
        found[service] = [
            item for module in modules for item in vars(module).values() if isinstance(item, ResourceContract)
        ]
    return found


RESOURCES: Final = _resource_contracts()


def _commands_of(service: str, key: str, *others: type[WireModel], partitions: int = 3) -> Topic:
    models = tuple(command for contract in RESOURCES[service] for command in contract.commands)
    name = f"{service.removesuffix('_svc')}.commands"
    return commands_topic(name, (*models, *others), owner=service, key=key, partitions=partitions)


def _hardware(name: str, consumers: str, summary: str, config: dict[str, str] = COMPACTED) -> Topic:
    return event_topic(
        f"hotw.{name}",
        hotw_svc.HardwareFact,
        summary,
        owner="hotw_svc",
        key="{EventId}#{FleetId}#{Purpose}",
        consumers=tuple(consumers.split()),
        partitions=12,
        config=config,
    )


def _run(name: str, consumers: str, summary: str) -> Topic:
    return event_topic(
        f"hotw.run.{name}",
        hotw_svc.RunFact,
        summary,
        owner="hotw_svc",
        key="RunId",
        consumers=tuple(consumers.split()),
        partitions=12,
        config=THIRTY_DAYS,
    )


TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in [
        *(topic for contracts in RESOURCES.values() for contract in contracts for topic in contract.topics()),
        event_topic(
            "fleet.inventory.reported",
            InventoryReported,
            "Somebody counted the hosts of a fleet.",
            owner="fleet_svc",
            key="FleetId",
            consumers=("hotw_svc",),
            partitions=12,
        ),
        _run("started", "", "A run began."),
        _run("completed", "notify_svc", "Every fleet of a run has its execution."),
        _run("cancelled", "", "A run was stopped by hand."),
        _hardware("execution.completed", "eventplan_svc", "The need of one fleet was computed."),
        _hardware("order.placed", "eventplan_svc fleet_svc notify_svc", "An execution ordered hosts."),
        _hardware(
            "order.reviewed",
            "eventplan_svc fleet_svc notify_svc",
            "An order was decided on, or is left open by an event made inactive or deleted.",
        ),
        _hardware(
            "order.expired", "eventplan_svc fleet_svc", "An order's window ended before all of it was delivered."
        ),
        _hardware("fulfillment.updated", "eventplan_svc fleet_svc", "Hosts of an order were delivered."),
        _hardware("override.started", "", "An approved override's window began."),
        _hardware("override.expired", "", "An override's window ended."),
        _commands_of("fleet_svc", "FleetId or ServiceId", partitions=12),
        _commands_of("event_svc", "EventId"),
        _commands_of(
            "eventplan_svc",
            "FleetId",
            eventplan_svc.CreateEventPlan,
            eventplan_svc.SetMilestoneStatus,
            eventplan_svc.SetMilestone,
            eventplan_svc.ReplaceMilestones,
            partitions=12,
        ),
        _commands_of(
            "hotw_svc",
            "FleetId or EventId",
            hotw_svc.StartRun,
            hotw_svc.CancelRun,
            hotw_svc.ExecuteFleet,
            hotw_svc.ReviewOrder,
            hotw_svc.ReportDelivery,
            partitions=12,
        ),
        _commands_of("notify_svc", "TicketId or ServiceId"),
        Topic(
            COMMAND_RESULTS,
            "kit",
            "the command's key",
            (MessageType("*", CommandResult, "The answer of a command; its ce_type is the command's."),),
            SERVICES,
            ("anyone",),
            12,
            SEVEN_DAYS,
        ),
        *(
            Topic(
                f"{service}.dlq",
                service,
                "the dead record's own",
                (MessageType("DeadLetter", DeadLetter, f"A record {service} can never handle."),),
                (service,),
                (service,),
                3,
                THIRTY_DAYS,
            )
            for service in SERVICES
        ),
    ]
}


def dead_letters_of(service: str) -> str:
    """The name of a service's dead letter topic."""
    return f"{service}.dlq"

"""The registry of topics: those of the resources, found through their contracts, and all others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

from shared.schemas.base import WireModel
from shared.schemas.eventplan_svc import TPMRequested
from shared.schemas.fleet_svc.bau_host_job import BAU_HOST_JOB, DUE, BAUHostJobDue
from shared.schemas.fleet_svc.bulk_job import CancelBulkJob, StartBulkJob
from shared.schemas.fleet_svc.fleet import InventoryReported
from shared.schemas.fleet_svc.proposal import AcceptProposal
from shared.schemas.fleet_svc.throttling import THROTTLING, ReportThrottling, ThrottlingApplied
from shared.schemas.fleet_svc.traffic import BAU_CHANGED, TRAFFIC, BAUChanged
from shared.schemas.hotw_external import RecordDashboard, RecordExecution, RecordRun, UpdateRecordedRun
from shared.schemas.hotw_order_reviews import ReviewOrders
from shared.schemas.hotw_preferences import StorePreferredASGs
from shared.schemas.hotw_svc import (
    CancelRun,
    ExecuteFleet,
    HardwareFact,
    ReportDelivery,
    ReviewOrder,
    RunFact,
    StartRun,
)
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.results import CommandResult, DeadLetter
from shared.schemas.services import SERVICES as SERVICES

COMMAND_RESULTS: Final = "command.results"

_GOLDEN: Final = Path(__file__).parent / "golden"
_DLQ: Final = ".dlq"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_DAY_MS: Final = 86_400_000
_COMPACTED: Final = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(7 * _DAY_MS)}
_SEVEN_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
_THIRTY_DAYS: Final = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)}
_SUMMARIES: Final = {
    "created": "The {0} was created: the full snapshot.",
    "updated": "The {0} has a new version: the full snapshot.",
    "deleted": "The {0} was deleted (a tombstone version): the full snapshot.",
}


@dataclass(frozen=True, slots=True)
class MessageType:
    """One ``ce_type``: the contract of its data, and its meaning in one sentence."""

    ce_type: str
    model: type[WireModel]
    summary: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``config`` is Kafka's own (``cleanup.policy``, ``retention.ms``, …); ``key`` describes the key.

    ValueError for a name or a partition count that Kafka would refuse.
    """

    name: str
    partitions: int
    config: Mapping[str, str | int] = field(default_factory=dict)
    owner: str = ""
    key: str = ""
    messages: tuple[MessageType, ...] = ()
    producers: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in (".", ".."):
            raise ValueError(f"{self.name!r} is no topic name: 1 to 249 of letters, digits, '.', '_' and '-'")
        if self.partitions < 1:
            raise ValueError(f"topic {self.name} needs at least one partition, not {self.partitions}")

    def setting(self, name: str, default: int) -> int:
        """A whole number of the config, or the default."""
        return int(self.config.get(name, default))

    @property
    def policies(self) -> list[str]:
        """``compact``, ``delete`` or both; ``delete`` is the default."""
        return [part.strip() for part in str(self.config.get("cleanup.policy", "delete")).split(",")]

    def message(self, ce_type: str) -> MessageType | None:
        return next((message for message in self.messages if message.ce_type == ce_type), None)


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


def _event(
    model: type[WireModel],
    name: str,
    summary: str,
    consumers: tuple[str, ...] = (),
    *,
    owner: str,
    key: str,
    partitions: int = 12,
    config: dict[str, str] = _COMPACTED,
) -> Topic:
    """A topic that carries one type of event, which has the topic's name."""
    return Topic(name, partitions, config, owner, key, (MessageType(name, model, summary),), (owner,), consumers)


def topics_of(contract: ResourceContract[Any]) -> list[Topic]:
    """The topics of a resource's events."""
    resource = contract.topic
    joined = contract.key[0] if len(contract.key) == 1 else "#".join(f"{{{name}}}" for name in contract.key)
    key, partitions = contract.key_text or contract.key_prefix + joined, contract.partitions
    event = partial(_event, contract.snapshot, owner=contract.owner, key=key, partitions=partitions)
    return [
        *(
            event(f"{resource}.{verb}", _SUMMARIES[verb].format(contract.name), contract.consumers)
            for verb in contract.events
        ),
        *(
            event(f"{resource}.{extra.verb}", extra.summary, extra.consumers, config=_THIRTY_DAYS)
            for extra in contract.extra_events
        ),
    ]


def command_type(model: type[WireModel]) -> MessageType:
    """The message of a command, whose ``ce_type`` is the name of its contract."""
    summary = (model.__doc__ or f"{model.__name__}, as over HTTP.").split("\n")[0]
    return MessageType(model.__name__, model, summary)


def _commands(service: str, key: str, *others: type[WireModel], partitions: int = 3) -> Topic:
    """The commands that a service takes: those of its resources, and others."""
    models = (*(command for contract in RESOURCES[service] for command in contract.commands), *others)
    messages = tuple(map(command_type, models))
    name = f"{service.removesuffix('_svc')}.commands"
    return Topic(name, partitions, _SEVEN_DAYS, service, key, messages, ("anyone",), (service,))


_FLEET_KEYS: Final = " or ".join({one.key[0]: None for one in RESOURCES["fleet_svc"]})
_HOTW_COMMANDS: Final = (
    StartRun,
    CancelRun,
    ExecuteFleet,
    ReviewOrder,
    ReviewOrders,
    ReportDelivery,
    StorePreferredASGs,
    RecordRun,
    UpdateRecordedRun,
    RecordExecution,
    RecordDashboard,
)
_run_event: Final = partial(_event, RunFact, owner="hotw_svc", key="RunId", config=_THIRTY_DAYS)
_hardware_event: Final = partial(_event, HardwareFact, owner="hotw_svc", key="{EventId}#{FleetId}#{Purpose}")
_OF_ORDERS: Final = ("eventplan_svc", "fleet_svc")


def _dead_letters(service: str) -> Topic:
    kind = MessageType("DeadLetter", DeadLetter, f"A record {service} can never handle.")
    own = (service,)
    return Topic(dead_letters_of(service), 3, _THIRTY_DAYS, service, "the dead record's own", (kind,), own, own)


def dead_letters_of(service: str) -> str:
    """The name of a service's dead letter topic."""
    return f"{service}{_DLQ}"


def golden_path(topic: str, ce_type: str) -> Path:
    """The file of a type's golden message, one structured CloudEvent; a dead letter is the same whoever's it is."""
    if topic.endswith(_DLQ):
        return _GOLDEN / "dlq.json"
    return _GOLDEN / (f"{topic}.json" if ce_type in (topic, "*") else f"{topic}.{ce_type}.json")


TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in [
        *(topic for contracts in RESOURCES.values() for contract in contracts for topic in topics_of(contract)),
        _event(
            InventoryReported,
            "fleet.inventory.reported",
            "Somebody counted the hosts of a fleet.",
            ("hotw_svc",),
            owner="fleet_svc",
            key="FleetId",
        ),
        _event(
            ThrottlingApplied,
            "throttling.applied",
            "The latest version of a fleet's limits is applied.",
            ("eventplan_svc",),
            owner="fleet_svc",
            key="{FleetId}#{EventId}",
            partitions=THROTTLING.partitions,
        ),
        _event(
            BAUChanged,
            BAU_CHANGED,
            "The traffic of a fleet outside events is another one.",
            owner="fleet_svc",
            key="FleetId",
            consumers=("hotw_svc",),
            partitions=TRAFFIC.partitions,
            config=_THIRTY_DAYS,
        ),
        _event(
            BAUHostJobDue,
            DUE,
            "A slot of a job has come; it orders nothing.",
            owner="fleet_svc",
            key="JobId",
            partitions=BAU_HOST_JOB.partitions,
            config=_THIRTY_DAYS,
        ),
        _event(
            TPMRequested,
            "eventplan.tpm.requested",
            "The TPM of a fleet is to be mailed to the downstream services.",
            ("notify_svc",),
            owner="eventplan_svc",
            key="{EventId}#{FleetId}",
            config=_THIRTY_DAYS,
        ),
        _run_event("hotw.run.started", "A run began."),
        _run_event("hotw.run.completed", "Every fleet of a run has its execution.", ("notify_svc",)),
        _run_event("hotw.run.cancelled", "A run was stopped by hand."),
        _hardware_event("hotw.execution.completed", "The need of one fleet was computed.", ("eventplan_svc",)),
        _hardware_event("hotw.order.placed", "An execution ordered hosts.", (*_OF_ORDERS, "notify_svc")),
        _hardware_event(
            "hotw.order.reviewed",
            "An order was decided on, or is left open by a fleet that was withdrawn from the event.",
            (*_OF_ORDERS, "notify_svc"),
        ),
        _hardware_event("hotw.order.expired", "An order's window ended before all of it was delivered.", _OF_ORDERS),
        _hardware_event("hotw.fulfillment.updated", "Hosts of an order were delivered.", _OF_ORDERS),
        _hardware_event("hotw.override.started", "An approved override's window began."),
        _hardware_event("hotw.override.expired", "An override's window ended."),
        _hardware_event("hotw.override.drifted", "An ASG twice had another capacity than its provider was asked for."),
        _hardware_event(
            "hotw.gap.opened",
            "A changed input left a fleet with too few hosts, or with another number of hosts too few.",
            ("eventplan_svc", "notify_svc"),
        ),
        _hardware_event(
            "hotw.gap.closed", "A fleet lacks no hosts any more, or its part in the event is over.", ("eventplan_svc",)
        ),
        _commands(
            "fleet_svc", _FLEET_KEYS, ReportThrottling, AcceptProposal, StartBulkJob, CancelBulkJob, partitions=12
        ),
        _commands("event_svc", "EventId, or EventProfileId"),
        _commands("eventplan_svc", "FleetId", partitions=12),
        _commands("hotw_svc", "FleetId or EventId", *_HOTW_COMMANDS, partitions=12),
        _commands("notify_svc", "TicketId or ServiceId"),
        Topic(
            COMMAND_RESULTS,
            12,
            _SEVEN_DAYS,
            "kit",
            "the command's key",
            (MessageType("*", CommandResult, "The answer of a command; its ce_type is the command's."),),
            SERVICES,
            ("anyone",),
        ),
        *map(_dead_letters, SERVICES),
    ]
}

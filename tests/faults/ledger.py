"""What the clients of a load know: what was acknowledged, what was sent, and what must therefore be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged write of a document: ``marker`` stands in the version it made."""

    marker: str
    service: str
    resource: str
    key: str
    version: int


@dataclass(slots=True)
class Command:
    """A command that was produced; ``answer`` is the one the client saw first."""

    id: str
    topic: str
    type: str
    key: str
    body: dict[str, Any]
    answer: dict[str, Any] | None = None


@dataclass(slots=True)
class Ledger:
    """Kept over all rounds on one stack; what holds of the present round alone is made anew by ``new_round``.

    ``plans``: (EventId, FleetId) that must have a plan; ``perhaps``: those that may have one (a fleet that was deleted
    meanwhile); ``closed``: those of them whose plan must be closed. ``hosts``: the hosts that must be on order for a
    fleet and event once all is quiet. ``poison``: topics by the keys of records that were poisoned; ``fuzzed``: the
    places (topic, partition, offset) of others.
    """

    writes: list[Write] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    runs: set[int] = field(default_factory=set)
    inventories: dict[str, tuple[str, str]] = field(default_factory=dict)
    poison: dict[str, str] = field(default_factory=dict)
    fuzzed: set[tuple[str, int, int]] = field(default_factory=set)
    plans: set[tuple[str, str]] = field(default_factory=set)
    perhaps: set[tuple[str, str]] = field(default_factory=set)
    closed: set[tuple[str, str]] = field(default_factory=set)
    hosts: dict[tuple[str, str], int] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    def new_round(self) -> None:
        """Forgets what only holds while a round's events are active."""
        self.hosts.clear()
        self.decisions.clear()
        self.deliveries.clear()

    def take_strange(self) -> list[str]:
        """What was strange since this was asked last."""
        strange, self.strange = self.strange, []
        return strange

    def acknowledged(self, marker: str, service: str, resource: str, key: str, version: int) -> None:
        self.writes.append(Write(marker, service, resource, key, version))

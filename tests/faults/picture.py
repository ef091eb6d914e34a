"""Everything that EPIC has stored and published, as the stores themselves give it: the invariants check it.

Nothing here goes through EPIC's API. A picture of the servers and one of an embedded EPIC's files are alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

TREND: Final = "read_model.trend"
"""Where eventplan_svc keeps the days of all events."""

Row = dict[str, Any]
Documents = dict[str, "Stored"]


def canonical(value: Any) -> str:
    """One text for equal values; times as text."""
    return json.dumps(value, sort_keys=True, default=str)


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version. ``body`` is all that is stored of it, in one text; ``message`` the reason it was made for;
    ``at`` the instant it was written.
    """

    number: int
    body: str
    state: Row
    deleted: bool
    message: str | None
    at: str


@dataclass(slots=True)
class Stored:
    """One document: the head (item 0) and the versions stored beside it; ``latest`` is what the head calls so."""

    head: Version
    latest: int
    items: dict[int, Version]
    side: Row = field(default_factory=dict)

    def versions(self) -> dict[int, Version]:
        """Every version that is stored anywhere."""
        return {**self.items, self.head.number: self.head}


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """One record of a topic, in the order of its offsets. ``data`` only where an invariant looks into it."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str
    source: str
    digest: str
    data: Row | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter in a service's store."""

    service: str
    id: str
    group: str
    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(slots=True)
class Picture:
    """``documents`` and ``replicas`` by (service, resource); ``rows`` by table, with ids in place of index numbers.
    ``trend`` has the plans by colour, by event and day.

    ``waiting`` says in words what is not finished: outbox entries, intents, rows to be published.
    ``groups`` says which topics each consumer group takes; ``taken`` is the real time it was begun at.
    """

    documents: dict[tuple[str, str], Documents] = field(default_factory=dict)
    replicas: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    trend: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    published: list[PublishedRecord] = field(default_factory=list)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken: datetime = field(default_factory=lambda: datetime.now(UTC))

    def of(self, service: str, resource: str) -> Documents:
        """The documents of a resource; none where there are none yet."""
        return self.documents.get((service, resource), {})

    def every(self) -> Iterator[tuple[str, str, str, Stored]]:
        """Service, resource, key and document of all there is."""
        for (service, resource), documents in self.documents.items():
            for key, stored in documents.items():
                yield service, resource, key, stored

    def table(self, name: str) -> list[Row]:
        return self.rows.get(name, [])

    def state(self) -> dict[str, str]:
        """What a redelivery must leave as it is, name by name; a mail that waits may go at any time."""
        state = {
            f"{service} {resource} {key}": canonical([stored.latest, stored.head.body, sorted(stored.items)])
            for service, resource, key, stored in self.every()
            if stored.head.state.get("Status") != "Pending"
        }
        return state | {
            f"rows of {table}": canonical(sorted(map(canonical, rows))) for table, rows in self.rows.items()
        }

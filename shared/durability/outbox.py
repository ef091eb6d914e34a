"""The outbox: what a write has to publish is stored with the state it belongs to, and stays until it is published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from shared.envelope import Message
from shared.errors import Unavailable

MAX_OPEN_ENTRIES: Final = 100_000
"""How many entries of one service may be open. A broker that is away for long must not fill the store; this many are
published within a minute once it is back."""

MAX_OPEN_ENTRIES_PER_LANE: Final = 200
"""How many entries of one document, or of one message key, may be open. They are published one after another, and a
MongoDB document holds its own, so that 200 slim ones keep it far below 16 MB."""

Lane: TypeAlias = str | tuple[str, str]
"""What is published in order: the entries of a message key, or of a document (its resource type and its key)."""

Publish = Callable[[Sequence[Message]], Awaitable[list[Exception | None]]]
"""Publishes messages and waits for the acknowledgements. The result has, in the messages' order, None for what was
acknowledged and the error for what was not. Once a message fails, all later messages of its key fail too."""


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event that a use case decides to publish; ``type`` is its topic too.

    ``data`` None means the snapshot of the written version, ``key`` None the document's key, ``id`` None
    ``{key}:{version}:{type}``.
    """

    type: str
    key: str | None = None
    id: str | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How many entries are open, and the instant (of the service's clock) of the oldest one."""

    open: int
    oldest: datetime | None


def check_room(open_entries: int) -> None:
    """Unavailable when so many entries of the service are open that no further write may add one."""
    if open_entries >= MAX_OPEN_ENTRIES:
        raise Unavailable(f"{open_entries} events wait for the broker; write again when it is back")


class OutboxFull(Unavailable):
    """So many entries of one ``lane`` are open that no further write may add one (rule 4.12a).

    A writer waits while the relay makes room, see ``Room``. A caller gets this only when the broker takes nothing.
    """

    def __init__(self, lane: Lane, open_entries: int) -> None:
        self.lane = lane
        self.name = " ".join(lane) if isinstance(lane, tuple) else lane
        super().__init__(f"{open_entries} events of {self.name} wait for the broker; try again later")


def check_room_of_lane(lane: Lane, open_entries: int) -> None:
    """OutboxFull when so many entries of a lane are open that no further write may add one."""
    if open_entries >= MAX_OPEN_ENTRIES_PER_LANE:
        raise OutboxFull(lane, open_entries)

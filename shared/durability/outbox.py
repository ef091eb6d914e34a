"""The outbox: what a write has to publish is stored with the state it belongs to, and stays until it is published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.envelope import Message
from shared.errors import Unavailable

MAX_OPEN_ENTRIES: Final = 100_000
"""How many entries of one service may be open. A broker that is away for long must not fill the store; this many are
published within a minute once it is back."""

MAX_OPEN_ENTRIES_PER_KEY: Final = 200
"""How many entries of one key may be open. The entries of one key are published one after another, and a MongoDB
document holds its own, so that 200 slim ones keep it far below 16 MB."""

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


def check_room_of_key(name: str, open_entries: int) -> None:
    """Unavailable when so many entries of one key are open that no further write of it may add one."""
    if open_entries >= MAX_OPEN_ENTRIES_PER_KEY:
        raise Unavailable(f"{open_entries} events of {name} wait for the broker; try again later")

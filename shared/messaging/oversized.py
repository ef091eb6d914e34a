"""Owns what is known of messages larger than a message may be: said now and then, and not sent every time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import structlog

from shared.envelope import Message, encode_headers
from shared.errors import MessageTooLarge
from shared.messaging.transport import RECORD_BYTES, record_size

__all__ = ["PAUSE", "Oversized"]

log = structlog.get_logger(__name__)

PAUSE: Final = 10.0
"""Seconds for which a message that was too large is not sent again, and the log says no more of any."""

_FORGOTTEN: Final = 60.0  # seconds after which nobody asks for it any more: sent by another replica, or taken away

_Name = tuple[str, str, str]


@dataclass(slots=True)
class _Known:
    error: MessageTooLarge
    sent: float
    asked: float


class Oversized:
    """The messages of one publisher that were too large, as long as they are asked to be published again."""

    def __init__(self) -> None:
        self._known: dict[_Name, _Known] = {}
        self._said: float | None = None

    def of(self, message: Message) -> MessageTooLarge | None:
        """Why it need not be sent now; None: send it, the limit may have been raised meanwhile."""
        known = self._known.get(_name(message)) if self._known else None
        if known is None:
            return None
        known.asked = time.monotonic()
        return known.error if known.asked - known.sent < PAUSE else None

    def note(self, message: Message) -> MessageTooLarge:
        """It was just found too large: the error to answer with."""
        now = time.monotonic()
        self._known = {name: known for name, known in self._known.items() if now - known.asked < _FORGOTTEN}
        error = MessageTooLarge(_sentence(message))
        self._known[_name(message)] = _Known(error, now, now)
        if self._said is None or now - self._said >= PAUSE:
            self._said = now
            log.error(
                "an event waits: it is too large to be sent",
                reason=str(error),
                topic=message.topic,
                key=message.key,
                id=message.id,
                waiting=len(self._known),
            )
        return error

    def forget(self, message: Message) -> None:
        """It went."""
        if self._known:
            self._known.pop(_name(message), None)

    def word(self) -> str | None:
        """What a person should know of those that are still asked for; None when there are none."""
        now = time.monotonic()
        errors = [known.error for known in self._known.values() if now - known.asked < _FORGOTTEN]
        if not errors:
            return None
        return str(errors[0]) if len(errors) == 1 else f"{errors[0]} (and {len(errors) - 1} more like it)"


def _sentence(message: Message) -> str:
    size = record_size(message.key.encode(), message.data, encode_headers(message))
    about = f"an event of {message.key} is {size} bytes, larger than a message"
    if size > RECORD_BYTES:
        return f"{about} may be ({RECORD_BYTES})"
    return f"{about} to {message.topic} may be: set the topic's max.message.bytes to {RECORD_BYTES}"


def _name(message: Message) -> _Name:
    return message.topic, message.source, message.id

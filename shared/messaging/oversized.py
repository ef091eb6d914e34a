"""Messages that are too large for the broker: each is sent only now and then, and logged only now and then."""

from __future__ import annotations

import time
from typing import Final

import structlog

from shared.durability.backoff import TOO_LARGE_PAUSE
from shared.envelope import Message, encode_headers
from shared.errors import MessageTooLarge
from shared.messaging.transport import RECORD_BYTES, record_size

log = structlog.get_logger(__name__)

_FORGOTTEN: Final = 60.0  # seconds after which nobody asks for it any more: another replica sent it, or it was deleted


class Oversized:
    """The messages of one publisher that were too large, as long as somebody asks to publish them.

    Usually ``known`` is empty, and the publisher then asks nothing.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, str], tuple[MessageTooLarge, float]] = {}  # its error, and when (monotonic)
        self._logged: float | None = None

    def error_of(self, message: Message) -> MessageTooLarge | None:
        """Why it need not be sent now; None: send it, because the limit may have been raised meanwhile."""
        if message.identity not in self.known:
            return None
        error, sent = self.known[message.identity]
        return error if time.monotonic() - sent < TOO_LARGE_PAUSE else None

    def add(self, message: Message) -> MessageTooLarge:
        """Remembers a message that was just found too large. Returns the error of its publishing."""
        now = time.monotonic()
        self.known = {name: known for name, known in self.known.items() if now - known[1] < _FORGOTTEN}
        error = MessageTooLarge(_described(message))
        self.known[message.identity] = (error, now)
        if self._logged is None or now - self._logged >= TOO_LARGE_PAUSE:
            self._logged = now
            log.error(
                "an event waits: it is too large to be sent",
                reason=str(error),
                topic=message.topic,
                key=message.key,
                id=message.id,
                waiting=len(self.known),
            )
        return error

    def remove(self, message: Message) -> None:
        """It was acknowledged."""
        self.known.pop(message.identity, None)

    def summary(self) -> str | None:
        """What a person should know about the messages that wait; None when there are none."""
        now = time.monotonic()
        errors = [error for error, sent in self.known.values() if now - sent < _FORGOTTEN]
        if not errors:
            return None
        return str(errors[0]) if len(errors) == 1 else f"{errors[0]} (and {len(errors) - 1} more like it)"


def _described(message: Message) -> str:
    size = record_size(message.key.encode(), message.data, encode_headers(message))
    about = f"an event of {message.key} is {size} bytes, larger than a message"
    if size > RECORD_BYTES:
        return f"{about} may be ({RECORD_BYTES})"
    return f"{about} to {message.topic} may be: set the topic's max.message.bytes to {RECORD_BYTES}"

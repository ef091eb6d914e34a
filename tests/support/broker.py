"""The double of a publisher: a broker in memory that can be away, refuse a key, or find its messages too large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.envelope import Message
from shared.errors import MessageTooLarge


class Broker:
    """What it took, in order. A key's messages end with the first that fails, as the contract of publishing says."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.refused: set[str] = set()
        self.too_large: set[str] = set()
        self.tried: Counter[str] = Counter()  # how many messages of each key were given
        self.away = False

    async def publish(self, messages: Sequence[Message]) -> list[Exception | None]:
        failed: set[str] = set()
        outcomes: list[Exception | None] = []
        for message in messages:
            self.tried[message.key] += 1
            if message.key in self.too_large:
                outcomes.append(MessageTooLarge(f"an event of {message.key} is too large"))
            elif self.away or message.key in self.refused or message.key in failed:
                failed.add(message.key)
                outcomes.append(ConnectionError("the broker is away"))
            else:
                self.taken.append(message)
                outcomes.append(None)
        return outcomes

    def of(self, key: str) -> list[Message]:
        return [message for message in self.taken if message.key == key]

    def first_versions(self, key: str) -> list[int]:
        """The published versions, each where it was published first."""
        return list(dict.fromkeys(self.versions(key)))

    def versions(self, key: str) -> list[int]:
        return [body["VersionId"] for body in self.bodies(key)]

    def bodies(self, key: str) -> list[dict[str, Any]]:
        return [message.body() for message in self.of(key)]

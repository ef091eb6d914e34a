"""What the store of every service offers, of documents and of rows alike."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from shared.cause import Cause
from shared.durability.dead_letters import DeadLetterStore
from shared.durability.lease import Leases
from shared.durability.outbox import OutboxState
from shared.errors import Refused


class ServiceStore(Protocol):
    """One service's state, idempotency records, dead letters, leases and outbox."""

    def dead_letters(self) -> DeadLetterStore: ...

    def leases(self) -> Leases: ...

    async def start(self) -> None:
        """Connects and begins to publish what is open. Unavailable when the store stays away for 30 s."""

    async def stop(self) -> None:
        """Ends; what is not published yet is published at the next start, or by another replica."""

    async def ping(self) -> None:
        """Unavailable when the store does not respond."""

    async def drain(self) -> None:
        """Publishes all that is open, whoever wrote it; returns when nothing is."""

    async def outbox(self) -> OutboxState:
        """What waits for the broker, as far as this replica knows: its own writes, and others' after some seconds."""

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        """Stores a final refusal that no write has stored, and raises it, or the one that was stored first."""

    async def last_instant(self) -> datetime | None:
        """The latest instant of any write: the service's clock must not start before it."""

"""The inbox: which messages each consumer has handled, written in the transaction that handled them."""

from __future__ import annotations

import hashlib

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.idempotency import RETENTION_OF_MESSAGES
from shared.relational.types import database_now


class Inbox:
    """For handlers whose effect is neither a version nor answered, so that nothing else shows that it is there."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def take(self, connection: AsyncConnection, *, consumer: str, message_id: str) -> bool:
        """Whether the message is new to the consumer, which has handled it once this transaction is committed."""
        table, key = self._table, hashlib.blake2b(message_id.encode(), digest_size=32).hexdigest()
        found = await connection.execute(
            select(table.c.MessageId).where(table.c.Consumer == consumer, table.c.MessageId == key)
        )
        if found.first() is not None:
            return False
        await connection.execute(insert(table).values(Consumer=consumer, MessageId=key, SeenAt=database_now()))
        return True

    async def purge(self, connection: AsyncConnection) -> int:
        """Deletes the entries of messages that cannot come again; how many."""
        past = database_now(-RETENTION_OF_MESSAGES.total_seconds())
        return (await connection.execute(delete(self._table).where(self._table.c.SeenAt < past))).rowcount

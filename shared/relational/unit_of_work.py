"""The unit of work: one transaction with its outbox entries, its idempotency records and its inbox."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cause import Cause
from shared.durability.idempotency import RETENTION_OF_MESSAGES, IdempotencyRecord, retention_of
from shared.envelope import Message
from shared.errors import refusal_of
from shared.relational.outbox import RelationalOutbox
from shared.relational.tables import IDEMPOTENCY_RECORDS, INBOX
from shared.relational.types import database_now

_UNDER_WAY: Final = "UnderWay"
_DONE: Final = "Done"
_REFUSED: Final = "Refused"
_PURGED_AT_ONCE: Final = 5000  # records; a transaction of some 100 ms


@dataclass(slots=True)
class UnitOfWork:
    """One transaction: state, inbox, idempotency records and outbox entries are all written, or none of them.

    A cause without an id has no record.
    """

    connection: AsyncConnection
    _outbox: RelationalOutbox
    emitted: int = field(default=0)

    async def emit(self, messages: Sequence[Message]) -> None:
        """Publishes messages once this transaction is committed. The row lock of their key must be held."""
        await self._outbox.add(self.connection, messages)
        self.emitted += len(messages)

    async def record_of(self, cause: Cause) -> IdempotencyRecord | None:
        """The outcome that this cause had before; None the first time. Conflict ``id-reused`` for another body.

        A record whose time is over is deleted, so that another can be stored under its id.
        """
        if cause.id is None:
            return None
        table = IDEMPOTENCY_RECORDS
        is_its = table.c.RecordId == _digest(cause.id)
        is_over = (table.c.ExpiresAt <= database_now()).label("IsOver")
        query = select(table.c.Digest, table.c.State, table.c.Reference, table.c.Body, is_over).where(is_its)
        row = (await self.connection.execute(query)).first()
        if row is None:
            return None
        if row.IsOver:
            await self.connection.execute(delete(table).where(is_its))
            return None
        cause.check_digest(row.Digest)
        body = None if row.Body is None else orjson.loads(row.Body)
        if row.State == _REFUSED:
            return IdempotencyRecord(refusal=refusal_of(body or {}))
        return IdempotencyRecord(body=body, under_way=row.State == _UNDER_WAY, reference=row.Reference)

    async def add_record(self, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the first outcome. Of two at once the later fails on the key, and its transaction is tried again."""
        if cause.id is None:
            return
        state, body = _stored(record)
        row = {
            "RecordId": _digest(cause.id),
            "Cause": cause.id,
            "Digest": cause.digest,
            "State": state,
            "Reference": record.reference,
            "Body": body,
            "ExpiresAt": database_now(retention_of(cause.id).total_seconds()),
        }
        await self.connection.execute(insert(IDEMPOTENCY_RECORDS).values(row))

    async def finish_record(self, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the outcome of what was under way; an outcome that is there already stays."""
        if cause.id is None:
            return
        state, body = _stored(record)
        table = IDEMPOTENCY_RECORDS
        its = (table.c.RecordId == _digest(cause.id), table.c.State == _UNDER_WAY)
        await self.connection.execute(update(table).where(*its).values(State=state, Body=body))

    async def take_message(self, message_id: str, *, consumer: str) -> bool:
        """Whether the message is new to the consumer, which has handled it once this transaction is committed.

        For handlers whose effect is neither a version nor answered, so that nothing else shows that it is there.
        """
        key = _digest(message_id)
        seen = select(INBOX.c.SeenAt).where(INBOX.c.Consumer == consumer, INBOX.c.MessageId == key)
        if (await self.connection.execute(seen)).first() is not None:
            return False
        row = {"Consumer": consumer, "MessageId": key, "SeenAt": database_now()}
        await self.connection.execute(insert(INBOX).values(row))
        return True

    async def purge(self) -> int:
        """Deletes 5,000 records whose time is over, and the inbox entries of messages that cannot come again.

        How many records and entries it were.
        """
        past = database_now(-RETENTION_OF_MESSAGES.total_seconds())
        entries = await self.connection.execute(delete(INBOX).where(INBOX.c.SeenAt < past))
        table = IDEMPOTENCY_RECORDS
        over = select(table.c.RecordId).where(table.c.ExpiresAt < database_now()).limit(_PURGED_AT_ONCE).subquery()
        records = await self.connection.execute(delete(table).where(table.c.RecordId.in_(select(over.c.RecordId))))
        return entries.rowcount + records.rowcount


def _stored(record: IdempotencyRecord) -> tuple[str, str | None]:
    if record.refusal is not None:
        return _REFUSED, orjson.dumps(record.refusal.problem()).decode()
    if record.under_way:
        return _UNDER_WAY, None
    return _DONE, orjson.dumps(record.body).decode()


def _digest(identity: str) -> str:
    return hashlib.blake2b(identity.encode(), digest_size=32).hexdigest()

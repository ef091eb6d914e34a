"""The unit of work: one transaction with its outbox entries, its idempotency records and its inbox."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord, retention_of
from shared.envelope import Message
from shared.errors import refusal_of
from shared.relational.outbox import RelationalOutbox
from shared.relational.tables import IDEMPOTENCY_RECORDS, database_now


@dataclass(slots=True)
class UnitOfWork:
    """One transaction: state, idempotency records, inbox and outbox entries are all written, or none of them.

    A cause without an id has no record.
    """

    connection: AsyncConnection
    _outbox: RelationalOutbox
    emitted: int = 0

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
        is_its = table.c.RecordId == _record_id(cause.id)
        is_over = (table.c.ExpiresAt <= database_now()).label("IsOver")
        row = (await self.connection.execute(select(table, is_over).where(is_its))).first()
        if row is None:
            return None
        if row.IsOver:
            await self.connection.execute(delete(table).where(is_its))
            return None
        cause.check_digest(row.Digest)
        body, problem = orjson.loads(row.Outcome)
        return IdempotencyRecord(body, problem and refusal_of(problem), row.UnderWay, row.Reference)

    async def add_record(self, cause: Cause, record: IdempotencyRecord) -> IdempotencyRecord:
        """Stores the first outcome. Of two at once the later fails on the key, and its transaction is tried again."""
        if cause.id is not None:
            row = _outcome(record) | {
                "RecordId": _record_id(cause.id),
                "Digest": cause.digest,
                "Reference": record.reference,
                "ExpiresAt": database_now(retention_of(cause.id).total_seconds()),
            }
            await self.connection.execute(insert(IDEMPOTENCY_RECORDS).values(row))
        return record

    async def finish_record(self, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the outcome of what was under way; an outcome that is there already stays."""
        if cause.id is not None:
            table = IDEMPOTENCY_RECORDS
            open_one = update(table).where(table.c.RecordId == _record_id(cause.id), table.c.UnderWay)
            await self.connection.execute(open_one.values(_outcome(record)))

    async def take_message(self, cause: Cause, *, consumer: str) -> bool:
        """Whether the message is new to the consumer, which has handled it once this transaction is committed.

        The inbox: a record without a body. It is for handlers whose effect is neither a version nor answered, so that
        nothing else shows that it is there.
        """
        taking = replace(cause, id=f"{consumer} {cause.id}")
        if await self.record_of(taking) is not None:
            return False
        await self.add_record(taking, IdempotencyRecord())
        return True


def _outcome(record: IdempotencyRecord) -> dict[str, Any]:
    problem = record.refusal and record.refusal.problem()
    return {"UnderWay": record.under_way, "Outcome": orjson.dumps((record.body, problem)).decode()}


def _record_id(identity: str) -> str:
    return hashlib.blake2b(identity.encode(), digest_size=32).hexdigest()

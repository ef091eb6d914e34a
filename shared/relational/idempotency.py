"""Idempotency records in a relational store, written in the transaction whose outcome they are."""

from __future__ import annotations

import hashlib
from typing import Final

import orjson
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.cause import Cause
from shared.durability.idempotency import IdempotencyRecord, retention_of
from shared.errors import refusal_of
from shared.relational.types import database_now

_UNDER_WAY: Final = "UnderWay"
_DONE: Final = "Done"
_REFUSED: Final = "Refused"
_PURGED_AT_ONCE: Final = 5000  # a transaction of some 100 ms


class IdempotencyRecords:
    """The records of one service. A cause without an id has none."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def find(
        self, connection: AsyncConnection, cause: Cause, *, writing: bool = False
    ) -> IdempotencyRecord | None:
        """The outcome that this cause had before. Conflict ``id-reused`` when its body was another one then.

        ``writing`` deletes a record whose time is over, so that another can be stored under its id.
        """
        if cause.id is None:
            return None
        table, record_id = self._table, _record_id(cause.id)
        is_over = (table.c.ExpiresAt <= database_now()).label("IsOver")
        columns = (table.c.Digest, table.c.State, table.c.Reference, table.c.Body, is_over)
        row = (await connection.execute(select(*columns).where(table.c.RecordId == record_id))).first()
        if row is None:
            return None
        if row.IsOver:
            if writing:
                await connection.execute(delete(table).where(table.c.RecordId == record_id))
            return None
        cause.check_digest(row.Digest)
        body = None if row.Body is None else orjson.loads(row.Body)
        if row.State == _REFUSED:
            return IdempotencyRecord(refusal=refusal_of(body or {}))
        return IdempotencyRecord(body=body, under_way=row.State == _UNDER_WAY, reference=row.Reference)

    async def add(self, connection: AsyncConnection, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the first outcome. Of two at once the later fails on the key, and its transaction is tried again."""
        if cause.id is None:
            return
        state, body = _stored(record)
        await connection.execute(
            insert(self._table).values(
                RecordId=_record_id(cause.id),
                Cause=cause.id,
                Digest=cause.digest,
                State=state,
                Reference=record.reference,
                Body=body,
                ExpiresAt=database_now(retention_of(cause.id).total_seconds()),
            )
        )

    async def finish(self, connection: AsyncConnection, cause: Cause, record: IdempotencyRecord) -> None:
        """Stores the outcome of what was under way; an outcome that is there already stays."""
        if cause.id is None:
            return
        state, body = _stored(record)
        await connection.execute(
            update(self._table)
            .where(self._table.c.RecordId == _record_id(cause.id), self._table.c.State == _UNDER_WAY)
            .values(State=state, Body=body)
        )

    async def purge(self, connection: AsyncConnection) -> int:
        """Deletes up to 5,000 records whose time is over; how many."""
        table = self._table
        over = select(table.c.RecordId).where(table.c.ExpiresAt < database_now()).limit(_PURGED_AT_ONCE)
        ids = (await connection.execute(over)).scalars().all()
        if ids:
            await connection.execute(delete(table).where(table.c.RecordId.in_(ids)))
        return len(ids)


def _stored(record: IdempotencyRecord) -> tuple[str, str | None]:
    if record.refusal is not None:
        return _REFUSED, orjson.dumps(record.refusal.problem()).decode()
    if record.under_way:
        return _UNDER_WAY, None
    return _DONE, orjson.dumps(record.body).decode()


def _record_id(cause_id: str) -> str:
    return hashlib.blake2b(cause_id.encode(), digest_size=32).hexdigest()

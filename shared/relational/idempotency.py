"""Owns kept answers: what a command or a write with an idempotency id was told, told again when it comes again."""

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

__all__ = ["IdempotencyRecord", "IdempotencyRecords"]

_UNDER_WAY: Final = "UnderWay"
_DONE: Final = "Done"
_REFUSED: Final = "Refused"


class IdempotencyRecords:
    """The answers of one service, within its own transactions. A cause without an id keeps nothing."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def find(
        self, connection: AsyncConnection, cause: Cause, *, writing: bool = False
    ) -> IdempotencyRecord | None:
        """The answer this cause got before. Conflict ``id-reused`` when it came with another body then.

        ``writing``: an answer whose time is over makes room for another.
        """
        if cause.id is None:
            return None
        table = self._table
        row = (
            await connection.execute(
                select(
                    table.c.Digest, table.c.State, table.c.Reference, table.c.Body,
                    (table.c.ExpiresAt <= database_now()).label("IsOver"),
                ).where(table.c.AnswerId == _key(cause.id))
            )
        ).first()  # fmt: skip
        if row is None:
            return None
        if row.IsOver:
            if writing:
                await connection.execute(delete(table).where(table.c.AnswerId == _key(cause.id)))
            return None
        cause.check_digest(row.Digest)
        body = None if row.Body is None else orjson.loads(row.Body)
        if row.State == _REFUSED:
            return IdempotencyRecord(refusal=refusal_of(body or {}))
        return IdempotencyRecord(body=body, under_way=row.State == _UNDER_WAY, reference=row.Reference)

    async def keep(self, connection: AsyncConnection, cause: Cause, answer: IdempotencyRecord) -> None:
        """Keeps a first answer. Of two at once the later fails on the key, and its transaction is tried again."""
        if cause.id is None:
            return
        state, body = _stored(answer)
        await connection.execute(
            insert(self._table).values(
                AnswerId=_key(cause.id), Cause=cause.id, Digest=cause.digest, State=state,
                Reference=answer.reference, Body=body, ExpiresAt=database_now(retention_of(cause.id).total_seconds()),
            )
        )  # fmt: skip

    async def finish(self, connection: AsyncConnection, cause: Cause, answer: IdempotencyRecord) -> None:
        """Gives an answer that was under way its end; one that has an end already keeps it."""
        if cause.id is None:
            return
        state, body = _stored(answer)
        await connection.execute(
            update(self._table)
            .where(self._table.c.AnswerId == _key(cause.id), self._table.c.State == _UNDER_WAY)
            .values(State=state, Body=body)
        )

    async def purge(self, connection: AsyncConnection, limit: int = 5000) -> int:
        """Drops answers whose time is over; at most ``limit`` at once."""
        table = self._table
        old = (
            await connection.execute(
                select(table.c.AnswerId).where(table.c.ExpiresAt < database_now()).limit(limit)
            )
        ).scalars().all()  # fmt: skip
        if old:
            await connection.execute(delete(table).where(table.c.AnswerId.in_(old)))
        return len(old)


def _stored(answer: IdempotencyRecord) -> tuple[str, str | None]:
    if answer.refusal is not None:
        return _REFUSED, orjson.dumps(answer.refusal.problem()).decode()
    if answer.under_way:
        return _UNDER_WAY, None
    return _DONE, orjson.dumps(answer.body).decode()


def _key(cause_id: str) -> str:
    return hashlib.blake2b(cause_id.encode(), digest_size=32).hexdigest()

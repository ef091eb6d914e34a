"""Owns the outbox's rows: messages written with the state they tell of, in the order they must go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.outbox import MAX_OPEN_ENTRIES_PER_KEY, OutboxState, check_room, check_room_of_key
from shared.envelope import Message
from shared.relational.bulk import insert_rows
from shared.trace import Trace

__all__ = ["Outbox", "OutboxState"]


class Outbox:
    """Within the caller's transaction. Whoever writes holds the row lock of the key: ids then follow the commits."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.open_estimate = 0

    async def add(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Writes messages. Unavailable when too many wait already: 100,000 in all, or 200 of one key."""
        if not messages:
            return
        check_room(self.open_estimate)
        if self.open_estimate >= MAX_OPEN_ENTRIES_PER_KEY:
            await self._check_keys(connection, Counter(message.key for message in messages))
        await insert_rows(connection, self._table, [_row(message) for message in messages])

    async def _check_keys(self, connection: AsyncConnection, added: Counter[str]) -> None:
        table = self._table
        full = await connection.execute(
            select(table.c.MessageKey)
            .where(table.c.MessageKey.in_(list(added)))
            .group_by(table.c.MessageKey)
            .having(func.count() >= MAX_OPEN_ENTRIES_PER_KEY)
        )
        key = full.scalars().first()
        if key is not None:
            check_room_of_key(key, MAX_OPEN_ENTRIES_PER_KEY)

    async def oldest_first(
        self, connection: AsyncConnection, limit: int, *, without: Collection[str] = ()
    ) -> tuple[list[int], list[Message]]:
        """The oldest rows' ids and messages, those of some keys left out."""
        table = self._table
        query = select(table).order_by(table.c.Id).limit(limit)
        if without:
            query = query.where(table.c.MessageKey.not_in(without))
        rows = (await connection.execute(query)).all()
        return [row.Id for row in rows], [_message(row) for row in rows]

    async def is_anything_open(self, connection: AsyncConnection) -> bool:
        """Whether a message waits at all: the cheap question of those who do not publish."""
        return (await connection.execute(select(self._table.c.Id).limit(1))).first() is not None

    async def remove(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        """Drops what the broker has acknowledged."""
        if ids:
            await connection.execute(delete(self._table).where(self._table.c.Id.in_(ids)))

    async def state(self, connection: AsyncConnection) -> OutboxState:
        """Counts what is open; also what the limits go by from here on."""
        table = self._table
        row = (await connection.execute(select(func.count(), func.min(table.c.OccurredAt)).select_from(table))).one()
        self.open_estimate = row[0]
        return OutboxState(row[0], row[1])

    async def latest_instant(self, connection: AsyncConnection) -> datetime | None:
        """The latest time of an open message."""
        found: datetime | None = (await connection.execute(select(func.max(self._table.c.OccurredAt)))).scalar()
        return found


def _row(message: Message) -> dict[str, Any]:
    trace = message.trace
    envelope = {
        "source": message.source,
        "correlation": trace.correlation_id,
        "causation": trace.causation_id,
        "traceparent": trace.traceparent,
        "subject": message.subject,
        "user": message.user,
        "if_match": message.if_match,
    }
    return {
        "MessageId": message.id,
        "Topic": message.topic,
        "Type": message.type,
        "MessageKey": message.key,
        "OccurredAt": message.time,
        "Envelope": orjson.dumps({name: value for name, value in envelope.items() if value is not None}).decode(),
        "Body": message.data.decode(),
    }


def _message(row: Row[Any]) -> Message:
    envelope = orjson.loads(row.Envelope)
    return Message(
        topic=row.Topic,
        type=row.Type,
        key=row.MessageKey,
        data=row.Body.encode(),
        source=envelope["source"],
        time=row.OccurredAt,
        trace=Trace(envelope["correlation"], envelope.get("causation"), envelope.get("traceparent")),
        id=row.MessageId,
        subject=envelope.get("subject"),
        if_match=envelope.get("if_match"),
        user=envelope.get("user"),
    )

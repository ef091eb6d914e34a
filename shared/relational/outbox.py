"""The outbox's rows: messages written in the transaction of the state they belong to, in the order of publishing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Row, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.outbox import MAX_OPEN_ENTRIES_PER_KEY, OutboxState, check_room, check_room_of_key
from shared.durability.relay import OutboxEntry
from shared.envelope import Message
from shared.relational.bulk import insert_rows
from shared.relational.tables import KitTables
from shared.relational.transactions import Transactions
from shared.trace import Trace

_LAST_INSTANT: Final = "last-instant"
_MAX_LEFT_OUT: Final = 500


class RelationalOutbox:
    """See ``durability.relay.OutboxTable``. ``tidy`` deletes what has expired beside the outbox.

    A writer holds the row lock of the messages' key before it adds them, so that the numbers of a key follow the order
    of the commits.
    """

    def __init__(self, transactions: Transactions, tables: KitTables, *, tidy: Callable[[], Awaitable[object]]) -> None:
        self._transactions = transactions
        self._tidy = tidy
        self._removing: asyncio.Task[None] | None = None
        self._table: Table = tables.outbox
        self._meta: Table = tables.meta
        self.open_estimate = 0
        """The last count, corrected by what this process has added and removed since; the limits go by it."""

    async def add(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Adds messages in the caller's transaction. Unavailable when too many entries are open, in all or of a key."""
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

    async def is_empty(self) -> bool:
        async with self._transactions.read() as connection:
            return (await connection.execute(select(self._table.c.Id).limit(1))).first() is None

    async def page(self, after: int, limit: int, *, without: Collection[Hashable]) -> Sequence[OutboxEntry]:
        """The oldest entries, whatever ``after`` is: a transaction with lower numbers may have been committed since.

        The lanes are the messages' keys. Nothing when more lanes are left out than one statement names: then the broker
        is away, and the next pass begins anew.
        """
        removing, self._removing = self._removing, None
        if removing is not None:
            await removing  # or they would be published again; once, since a failed one would fail every page after it
        if len(without) > _MAX_LEFT_OUT:
            return []
        table = self._table
        query = select(table).where(table.c.MessageKey.not_in(without)).order_by(table.c.Id).limit(limit)
        async with self._transactions.read() as connection:
            return [OutboxEntry(row.Id, row.MessageKey, _message(row)) for row in await connection.execute(query)]

    def remove(self, entries: Sequence[OutboxEntry]) -> asyncio.Task[None]:
        """Removes published entries, and stores the latest instant among them."""
        self._removing = asyncio.create_task(self._remove(entries))
        return self._removing

    async def _remove(self, entries: Sequence[OutboxEntry]) -> None:
        meta, latest = self._meta, max(entry.message.time for entry in entries)
        positions = [entry.position for entry in entries]

        async def remove(connection: AsyncConnection) -> None:
            await connection.execute(delete(self._table).where(self._table.c.Id.in_(positions)))
            known = select(meta.c.Instant).where(meta.c.Name == _LAST_INSTANT)
            row = (await connection.execute(known)).first()
            if row is None:
                await connection.execute(insert(meta).values(Name=_LAST_INSTANT, Instant=latest))
            elif row.Instant < latest:
                await connection.execute(update(meta).where(meta.c.Name == _LAST_INSTANT).values(Instant=latest))

        await self._transactions.write(remove)
        self.open_estimate = max(0, self.open_estimate - len(entries))

    async def tidy(self) -> None:
        await self._tidy()

    async def state(self) -> OutboxState:
        """Counts the open entries."""
        table = self._table
        counted = select(func.count(), func.min(table.c.OccurredAt)).select_from(table)
        async with self._transactions.read() as connection:
            row = (await connection.execute(counted)).one()
        self.open_estimate = row[0]
        return OutboxState(row[0], row[1])

    async def last_instant(self) -> datetime | None:
        """The latest instant that a message of this service was dated by, whether it is published yet or not."""
        async with self._transactions.read() as connection:
            published = (await connection.execute(select(func.max(self._meta.c.Instant)))).scalar()
            waiting = (await connection.execute(select(func.max(self._table.c.OccurredAt)))).scalar()
        return max((instant for instant in (published, waiting) if instant is not None), default=None)


def _row(message: Message) -> dict[str, Any]:
    envelope = {
        "source": message.source,
        "trace": list(message.trace),
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
        trace=Trace(*envelope["trace"]),
        id=row.MessageId,
        subject=envelope.get("subject"),
        if_match=envelope.get("if_match"),
        user=envelope.get("user"),
    )

"""The outbox's rows: messages written in the transaction of the state they belong to, in the order of publishing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Row, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.durability.outbox import MAX_OPEN_ENTRIES_PER_LANE, Lane, OutboxState, check_room, check_room_of_lane
from shared.durability.relay import OutboxEntry
from shared.envelope import Message, Record, decode, encode_headers
from shared.relational.bulk import insert_rows
from shared.relational.tables import IDEMPOTENCY_RECORDS, META, OUTBOX, database_now
from shared.relational.transactions import Transactions

_LAST_INSTANT: Final = META.c.Name == "last-instant"
_MAX_LEFT_OUT: Final = 500
_EXPIRED_AT_ONCE: Final = 5000  # idempotency records; a transaction of some 100 ms


class RelationalOutbox:
    """See ``durability.relay.OutboxTable``.

    A writer holds the row lock of the messages' key before it adds them, so that the numbers of a key follow the order
    of the commits.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._removing: asyncio.Task[None] | None = None
        self.open_estimate = 0
        """The last count, corrected by what this process has added and removed since; the limits go by it."""

    async def add(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Adds messages in the caller's transaction.

        Unavailable when too many entries are open, OutboxFull when too many of a message's key are.
        """
        if not messages:
            return
        check_room(self.open_estimate)
        if self.open_estimate >= MAX_OPEN_ENTRIES_PER_LANE:
            key = OUTBOX.c.MessageKey
            of_keys = select(key, func.count()).where(key.in_({message.key for message in messages})).group_by(key)
            for name, count in await connection.execute(of_keys):
                check_room_of_lane(name, count)
        await insert_rows(connection, OUTBOX, [_row(message) for message in messages])

    async def is_empty(self) -> bool:
        return not await self._transactions.rows(select(OUTBOX.c.Id).limit(1))

    async def page(self, after: int, limit: int, *, without: Collection[Lane]) -> Sequence[OutboxEntry]:
        """The oldest entries, whatever ``after`` is: a transaction with lower numbers may have been committed since.

        The lanes are the messages' keys. Nothing when more lanes are left out than one statement names: then the broker
        is away, and the next pass begins anew.
        """
        removing, self._removing = self._removing, None
        if removing is not None:
            await removing  # or they would be published again; once, since a failed one would fail every page after it
        if len(without) > _MAX_LEFT_OUT:
            return []
        query = select(OUTBOX).where(OUTBOX.c.MessageKey.not_in(without)).order_by(OUTBOX.c.Id).limit(limit)
        return [OutboxEntry(row.Id, row.MessageKey, _message(row)) for row in await self._transactions.rows(query)]

    def remove(self, entries: Sequence[OutboxEntry]) -> asyncio.Task[None]:
        """Removes published entries, and stores the latest instant among them."""
        self._removing = asyncio.create_task(self._remove(entries))
        return self._removing

    async def _remove(self, entries: Sequence[OutboxEntry]) -> None:
        latest = max(entry.message.time for entry in entries)
        published = OUTBOX.c.Id.in_([entry.position for entry in entries])
        newest = case((META.c.Instant < latest, latest), else_=META.c.Instant)

        async def remove(connection: AsyncConnection) -> None:
            await connection.execute(delete(OUTBOX).where(published))
            if not (await connection.execute(update(META).where(_LAST_INSTANT).values(Instant=newest))).rowcount:
                await connection.execute(insert(META).values(Name="last-instant", Instant=latest))

        await self._transactions.transact(remove)
        self.open_estimate = max(0, self.open_estimate - len(entries))

    async def tidy(self) -> None:
        """Deletes the idempotency records whose time is over."""
        ids, ends = IDEMPOTENCY_RECORDS.c.RecordId, IDEMPOTENCY_RECORDS.c.ExpiresAt
        over = select(ids).where(ends < database_now()).limit(_EXPIRED_AT_ONCE).subquery()
        while await self._transactions.execute(delete(IDEMPOTENCY_RECORDS).where(ids.in_(select(over.c.RecordId)))):
            pass

    async def state(self) -> OutboxState:
        """Counts the open entries."""
        counting = select(func.count(), func.min(OUTBOX.c.OccurredAt)).select_from(OUTBOX)
        [(self.open_estimate, oldest)] = await self._transactions.rows(counting)
        return OutboxState(self.open_estimate, oldest)

    async def last_instant(self) -> datetime | None:
        """The latest instant that a message of this service was dated by, whether it is published yet or not."""
        instants = select(META.c.Instant).union_all(select(OUTBOX.c.OccurredAt)).subquery()
        [row] = await self._transactions.rows(select(func.max(instants.c.Instant)))
        latest: datetime | None = row[0]
        return latest


def _row(message: Message) -> dict[str, Any]:
    return {
        "Topic": message.topic,
        "MessageKey": message.key,
        "OccurredAt": message.time,
        "Headers": orjson.dumps([(name, value.decode()) for name, value in encode_headers(message)]).decode(),
        "Body": message.data.decode(),
    }


def _message(row: Row[Any]) -> Message:
    headers = tuple((name, value.encode()) for name, value in orjson.loads(row.Headers))
    timestamp = int(row.OccurredAt.timestamp() * 1000)
    return decode(Record(row.Topic, 0, row.Id, timestamp, row.MessageKey.encode(), row.Body.encode(), headers))

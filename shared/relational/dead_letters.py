"""Dead letters in a relational store."""

from __future__ import annotations

import orjson
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.relational.transactions import Transactions
from shared.schemas.results import DeadLetter


class RelationalDeadLetters:
    """See ``durability.dead_letters.DeadLetterStore``."""

    def __init__(self, transactions: Transactions, table: Table) -> None:
        self._transactions = transactions
        self._table = table

    async def put(self, letter: DeadLetter) -> None:
        table = self._table
        row = {"Id": letter.id, "Letter": orjson.dumps(letter.wire()).decode()}

        async def put(connection: AsyncConnection) -> None:
            await connection.execute(delete(table).where(table.c.Id == letter.id))
            await connection.execute(insert(table).values(row))

        await self._transactions.write(put)

    async def get(self, letter_id: str) -> DeadLetter | None:
        async with self._transactions.read() as connection:
            found = await connection.execute(select(self._table.c.Letter).where(self._table.c.Id == letter_id))
            text = found.scalar()
        return None if text is None else DeadLetter.model_validate_json(text)

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        query = select(self._table.c.Letter).order_by(self._table.c.Id).limit(limit)
        if after is not None:
            query = query.where(self._table.c.Id > after)
        async with self._transactions.read() as connection:
            texts = (await connection.execute(query)).scalars().all()
        return [DeadLetter.model_validate_json(text) for text in texts]

    async def delete(self, letter_id: str) -> bool:
        dropped = delete(self._table).where(self._table.c.Id == letter_id)

        async def drop(connection: AsyncConnection) -> bool:
            return bool((await connection.execute(dropped)).rowcount)

        return await self._transactions.write(drop)

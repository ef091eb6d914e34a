"""Dead letters in a relational store."""

from __future__ import annotations

import orjson
from sqlalchemy import delete, insert, select

from shared.relational.tables import DEAD_LETTERS
from shared.relational.transactions import Transactions
from shared.schemas.results import DeadLetter


class RelationalDeadLetters:
    """See ``durability.dead_letters.DeadLetterStore``."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def put(self, letter: DeadLetter) -> None:
        row = {"Id": letter.id, "Letter": orjson.dumps(letter.wire()).decode()}
        before = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.Id == letter.id)
        await self._transactions.execute(before, insert(DEAD_LETTERS).values(row))

    async def get(self, letter_id: str) -> DeadLetter | None:
        rows = await self._transactions.rows(select(DEAD_LETTERS.c.Letter).where(DEAD_LETTERS.c.Id == letter_id))
        return DeadLetter.model_validate_json(rows[0].Letter) if rows else None

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        query = (
            select(DEAD_LETTERS.c.Letter)
            .where(DEAD_LETTERS.c.Id > (after or ""))
            .order_by(DEAD_LETTERS.c.Id)
            .limit(limit)
        )
        return [DeadLetter.model_validate_json(row.Letter) for row in await self._transactions.rows(query)]

    async def delete(self, letter_id: str) -> bool:
        return bool(await self._transactions.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.Id == letter_id)))

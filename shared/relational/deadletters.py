"""Owns where a service with a relational store keeps its dead letters."""

from __future__ import annotations

import orjson
from sqlalchemy import delete, insert, select

from shared.relational.database import Database, UnitOfWork
from shared.schemas.results import DeadLetter

__all__ = ["RelationalDeadLetters"]


class RelationalDeadLetters:
    """One letter for an id; putting one with the id of another takes its place."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.kit.dead_letters

    async def put(self, letter: DeadLetter) -> None:
        """Keeps it, in place of one with the same id."""
        table = self._table

        async def put(unit: UnitOfWork) -> None:
            await unit.connection.execute(delete(table).where(table.c.Id == letter.id))
            await unit.connection.execute(
                insert(table).values(Id=letter.id, Letter=orjson.dumps(letter.wire()).decode())
            )

        await self._database.write(put)

    async def get(self, letter_id: str) -> DeadLetter | None:
        async with self._database.read() as connection:
            found = await connection.execute(select(self._table.c.Letter).where(self._table.c.Id == letter_id))
            text = found.scalar()
        return None if text is None else DeadLetter.model_validate_json(text)

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """In the order of their ids, those after ``after``."""
        query = select(self._table.c.Letter).order_by(self._table.c.Id).limit(limit)
        if after is not None:
            query = query.where(self._table.c.Id > after)
        async with self._database.read() as connection:
            texts = (await connection.execute(query)).scalars().all()
        return [DeadLetter.model_validate_json(text) for text in texts]

    async def delete(self, letter_id: str) -> bool:
        """Whether it was there."""
        table = self._table

        async def drop(unit: UnitOfWork) -> bool:
            return bool((await unit.connection.execute(delete(table).where(table.c.Id == letter_id))).rowcount)

        return await self._database.write(drop)

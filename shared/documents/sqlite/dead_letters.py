"""The dead letters of a service with a SQLite store."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

import orjson

from shared.documents.sqlite.reader import Reader
from shared.durability.sqlite_writer import Writer
from shared.schemas.results import DeadLetter


@dataclass(frozen=True, slots=True)
class SqliteDeadLetters:
    """See ``DeadLetterStore``."""

    writer: Writer
    reader: Reader

    async def put(self, letter: DeadLetter) -> None:
        values = (letter.id, orjson.dumps(letter.wire()))
        await self.writer.run(lambda connection: connection.execute("REPLACE INTO dead_letters VALUES (?, ?)", values))

    async def get(self, letter_id: str) -> DeadLetter | None:
        row = self.reader.one("SELECT letter FROM dead_letters WHERE id = ?", (letter_id,))
        return None if row is None else DeadLetter.model_validate_json(row[0])

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        query = "SELECT letter FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?"
        rows = await self.reader.rows(query, (after or "", limit))
        return [DeadLetter.model_validate_json(row[0]) for row in rows]

    async def delete(self, letter_id: str) -> bool:
        drop = "DELETE FROM dead_letters WHERE id = ?"
        return await self.writer.run(lambda connection: connection.execute(drop, (letter_id,)).rowcount == 1)

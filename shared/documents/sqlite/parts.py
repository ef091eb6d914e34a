"""Parts in a SQLite file."""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.sqlite.file import SqliteFile
from shared.durability.parts import NAMES_AT_ONCE, check_part, end_of


@dataclass(frozen=True, slots=True)
class SqliteParts:
    """See ``Parts``. The table is ``parts``."""

    file: SqliteFile

    async def put(self, name: str, number: int, data: bytes) -> None:
        check_part(name, number, data)
        await self.file.execute("REPLACE INTO parts (name, number, data) VALUES (?, ?, ?)", (name, number, data))

    async def get(self, name: str, number: int) -> bytes | None:
        rows = await self.file.rows("SELECT data FROM parts WHERE name = ? AND number = ?", (name, number))
        return bytes(rows[0][0]) if rows else None

    async def delete(self, name: str, number: int | None = None) -> None:
        if number is None:
            await self.file.execute("DELETE FROM parts WHERE name = ?", (name,))
        else:
            await self.file.execute("DELETE FROM parts WHERE name = ? AND number = ?", (name, number))

    async def names(self, prefix: str, after: str = "") -> list[str]:
        next_ones = "SELECT DISTINCT name FROM parts WHERE name >= ? AND name > ? AND name < ? ORDER BY name LIMIT ?"
        bounds = (prefix, after, end_of(prefix))
        return [row[0] for row in await self.file.rows(next_ones, (*bounds, NAMES_AT_ONCE))]

"""Read models in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.documents.filters import Filters
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.tables import ReadModelStatements, page_of
from shared.durability.read_model import Snapshot, State, is_same_state, newest_of_each_key


@dataclass(frozen=True, slots=True)
class SqliteReadModel:
    """See ``ReadModel``."""

    sql: ReadModelStatements
    filters: Filters
    file: SqliteFile

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        newest = newest_of_each_key(snapshots)
        rows = [
            (key, version, state.get("Deleted") is True, orjson.dumps(state).decode())
            for key, (version, state) in newest.items()
        ]
        keys = orjson.dumps(list(newest)).decode()

        def put(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
            connection.executemany(self.sql.put, rows)
            return {key: (version, state) for key, version, state in connection.execute(self.sql.stored, (keys,))}

        stored = await self.file.run(put)
        return {
            key
            for key, version, _, text in rows
            if stored[key] == (version, text)
            or (stored[key][0] == version and is_same_state(orjson.loads(stored[key][1]), newest[key][1]))
        }

    async def get(self, key: str) -> State | None:
        row = self.file.one(self.sql.one, (key,))
        return None if row is None else orjson.loads(row[0])

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        rows = await self.file.rows(self.sql.many, (orjson.dumps(list(keys)).decode(),))
        found = {key: orjson.loads(state) for key, state in rows}
        return {key: found[key] for key in dict.fromkeys(keys) if key in found}

    async def scan(self, where: Mapping[str, Any] | None = None, *, page: int = 1000) -> AsyncIterator[Sequence[State]]:
        after: str | None = None
        while rows := await self.file.rows(*page_of(self.sql.page, self.filters, where, after, page)):
            yield [orjson.loads(state) for _, state in rows]
            after = rows[-1][0]

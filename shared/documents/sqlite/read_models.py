"""Read models in SQLite."""
# ruff: noqa: S608 - only names that ``check_name`` accepted get into a statement

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from shared.documents.filters import Filters
from shared.documents.sqlite.file import SqliteFile
from shared.documents.sqlite.tables import KEYS, indexes, page_of
from shared.durability.read_model import Snapshot, State, is_same_state, newest_of_each_key


class SqliteReadModel:
    """See ``ReadModel``. The table is ``read_model.{name}``."""

    def __init__(self, name: str, filters: Filters, file: SqliteFile) -> None:
        table = self._table = f'"read_model.{name}"'
        self._filters = filters
        self._file = file
        self._put = (
            f"INSERT INTO {table} (key, version, deleted, state) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET version = excluded.version, deleted = excluded.deleted, "
            "state = excluded.state WHERE excluded.version > version"
        )
        self._stored = f"SELECT key, version, state FROM {table} WHERE key IN {KEYS}"
        self._present = f"SELECT key, state FROM {table} WHERE deleted = 0"

    def tables(self) -> list[str]:
        """Makes the table and its indexes; each statement is harmless when it is done again."""
        columns = "key TEXT PRIMARY KEY, version INTEGER NOT NULL, deleted INTEGER NOT NULL, state TEXT NOT NULL"
        return [f"CREATE TABLE IF NOT EXISTS {self._table} ({columns})", *indexes(self._table, self._filters)]

    async def put(self, snapshots: Sequence[Snapshot]) -> set[str]:
        newest = newest_of_each_key(snapshots)
        rows = [
            (key, version, state.get("Deleted") is True, orjson.dumps(state).decode())
            for key, (version, state) in newest.items()
        ]
        keys = orjson.dumps(list(newest)).decode()

        def put(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
            connection.executemany(self._put, rows)
            return {key: (version, state) for key, version, state in connection.execute(self._stored, (keys,))}

        stored = await self._file.run(put)
        return {
            key
            for key, version, _, text in rows
            if stored[key] == (version, text)
            or (stored[key][0] == version and is_same_state(orjson.loads(stored[key][1]), newest[key][1]))
        }

    async def get(self, key: str) -> State | None:
        row = self._file.one(f"{self._present} AND key = ?", (key,))
        return None if row is None else orjson.loads(row[1])

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        rows = await self._file.rows(f"{self._present} AND key IN {KEYS}", (orjson.dumps(list(keys)).decode(),))
        found = {key: orjson.loads(state) for key, state in rows}
        return {key: found[key] for key in dict.fromkeys(keys) if key in found}

    async def scan(
        self, where: Mapping[str, Any] | None = None, *, after: str = "", page: int = 1000
    ) -> AsyncIterator[Sequence[State]]:
        while rows := await self._file.rows(*page_of(self._present, self._filters, where, after, page)):
            yield [orjson.loads(state) for _, state in rows]
            after = rows[-1][0]

"""Owns what a service keeps in SQLite of another's resource: the newest snapshot of each key."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.documents.contract import State
from shared.documents.filters import Filters
from shared.documents.sqlite.reader import Reader
from shared.documents.sqlite.statements import ReadModelStatements
from shared.durability.read_model import is_same_state, newest_of_each_key
from shared.durability.sqlite_writer import Writer

__all__ = ["SqliteReadModel"]


@dataclass(frozen=True, slots=True)
class SqliteReadModel:
    """The table ``replica.{name}``; see ``contract.ReadModel``."""

    sql: ReadModelStatements
    filters: Filters
    writer: Writer
    reader: Reader

    async def put(self, snapshots: Sequence[tuple[str, int, State]]) -> set[str]:
        newest = newest_of_each_key(snapshots)
        rows = [
            (key, version, state.get("Deleted") is True, orjson.dumps(state).decode())
            for key, (version, state) in newest.items()
        ]

        def put(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
            connection.executemany(self.sql.put, rows)
            names = orjson.dumps(list(newest)).decode()
            return {key: (version, state) for key, version, state in connection.execute(self.sql.held, (names,))}

        held = await self.writer.run(put)
        return {
            key
            for key, version, _, text in rows
            if held[key] == (version, text)
            or (held[key][0] == version and is_same_state(orjson.loads(held[key][1]), newest[key][1]))
        }

    async def get(self, key: str) -> State | None:
        row = self.reader.one(self.sql.one, (key,))
        return None if row is None else orjson.loads(row[0])

    async def get_many(self, keys: Sequence[str]) -> dict[str, State]:
        rows = await self.reader.rows(self.sql.many, (orjson.dumps(list(keys)).decode(),))
        found = {key: orjson.loads(state) for key, state in rows}
        return {key: found[key] for key in dict.fromkeys(keys) if key in found}

    async def find(
        self, where: Mapping[str, Any] | None = None, *, after: str | None = None, limit: int = 1000
    ) -> list[State]:
        return [state for _, state in await self._page(where, after, limit)]

    async def scan(self, where: Mapping[str, Any] | None = None, *, page: int = 1000) -> AsyncIterator[Sequence[State]]:
        after: str | None = None
        while True:
            found = await self._page(where, after, page)
            if found:
                yield [state for _, state in found]
            if len(found) < page:
                return
            after = found[-1][0]

    async def _page(self, where: Mapping[str, Any] | None, after: str | None, limit: int) -> list[tuple[str, State]]:
        rows = await self.reader.rows(*self.sql.page(self.filters, where, after, limit))
        return [(key, orjson.loads(state)) for key, state in rows]

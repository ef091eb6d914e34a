"""Owns the SQL of a resource type and of a replica, written once for each name.

Only names that ``check_name`` let pass and declared fields get into a statement; all else is a parameter.
"""
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.documents.filters import Filters
from shared.documents.sqlite.rows import HEAD, ITEM, field_of

__all__ = ["DocumentStatements", "ReadModelStatements"]

_MARKS: Final = ", ".join("?" * len(HEAD.split(", ")))
_ITEM_OF_V: Final = ", ".join(f"v.{column}" for column in ITEM.split(", "))
_SHARED: Final = ", ".join(column for column in HEAD.split(", ") if column not in ("key", "state"))
_AMONG: Final = "(SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class DocumentStatements:
    """What is asked of ``{name}.heads`` and ``{name}.items``."""

    name: str
    head: str = field(init=False)
    heads: str = field(init=False)
    there: str = field(init=False)
    version: str = field(init=False)
    versions: str = field(init=False)
    keep_version: str = field(init=False)
    write: str = field(init=False)
    amend: str = field(init=False)
    told_of: tuple[str, str] = field(init=False)
    firsts: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        heads, items = f'"{self.name}.heads"', f'"{self.name}.items"'
        made = {
            "head": f"SELECT {HEAD} FROM {heads} WHERE key = ?",
            "heads": f"SELECT {HEAD} FROM {heads} WHERE key IN {_AMONG} AND deleted = 0",
            "there": f"SELECT key, deleted FROM {heads} WHERE key IN {_AMONG}",
            "version": f"SELECT {ITEM} FROM {items} WHERE key = ? AND version = ?",
            "versions": f"SELECT {ITEM} FROM {items} WHERE key = ? AND version BETWEEN ? AND ? ORDER BY version DESC",
            "keep_version": f"INSERT INTO {items} ({ITEM}) SELECT {ITEM} FROM {heads} WHERE key = ?",
            "write": f"REPLACE INTO {heads} ({HEAD}) VALUES ({_MARKS})",
            "amend": f"UPDATE {heads} SET side = ? WHERE key = ?",
            "told_of": tuple(
                f"SELECT {_ITEM_OF_V} FROM outbox o JOIN {table} v ON v.key = o.key AND v.version = o.version "
                "WHERE o.seq BETWEEN ? AND ? AND o.resource = ? AND o.data IS NULL AND o.keys IS NULL"
                for table in (heads, items)
            ),
            "firsts": tuple(
                f"SELECT {ITEM} FROM {table} WHERE key IN {_AMONG} AND version = ?" for table in (heads, items)
            ),
        }
        for name, statement in made.items():
            object.__setattr__(self, name, statement)

    def create(self, count: int) -> str:
        """Writes new heads: all that they share, in the columns' order, then key and state of each."""
        marks, pairs = ", ".join("?" * len(_SHARED.split(", "))), ", ".join(["(?, ?)"] * count)
        return (
            f'INSERT INTO "{self.name}.heads" ({_SHARED}, key, state) '
            f"SELECT shared.*, own.column1, own.column2 FROM (SELECT {marks}) shared, (VALUES {pairs}) own"
        )

    def page(
        self, filters: Filters, where: Mapping[str, Any] | None, after: str | None, limit: int
    ) -> tuple[str, list[Any]]:
        """Heads by declared fields."""
        return _page(f'"{self.name}.heads"', HEAD, filters, where, after, limit)


@dataclass(frozen=True, slots=True)
class ReadModelStatements:
    """What is asked of ``replica.{name}``."""

    name: str
    put: str = field(init=False)
    held: str = field(init=False)
    one: str = field(init=False)
    many: str = field(init=False)

    def __post_init__(self) -> None:
        table = f'"read_model.{self.name}"'
        made = {
            "put": f"INSERT INTO {table} (key, version, deleted, state) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET version = excluded.version, deleted = excluded.deleted, "
            "state = excluded.state WHERE excluded.version > version",
            "held": f"SELECT key, version, state FROM {table} WHERE key IN {_AMONG}",
            "one": f"SELECT state FROM {table} WHERE key = ? AND deleted = 0",
            "many": f"SELECT key, state FROM {table} WHERE key IN {_AMONG} AND deleted = 0",
        }
        for name, statement in made.items():
            object.__setattr__(self, name, statement)

    def page(
        self, filters: Filters, where: Mapping[str, Any] | None, after: str | None, limit: int
    ) -> tuple[str, list[Any]]:
        """Snapshots by declared fields."""
        return _page(f'"read_model.{self.name}"', "key, state", filters, where, after, limit)


def _page(
    table: str, columns: str, filters: Filters, where: Mapping[str, Any] | None, after: str | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement, and its parameters, for the first so many by key that are not deleted."""
    conditions, parameters = ["deleted = 0"], []
    for name, value in filters.wanted(where).items():
        if value is None:
            conditions.append(f"{field_of(name)} IS NULL")
        else:
            conditions.append(f"{field_of(name)} = ?")
            parameters.append(value)
    if after is not None:
        conditions.append("key > ?")
        parameters.append(after)
    sql = f"SELECT {columns} FROM {table} WHERE {' AND '.join(conditions)} ORDER BY key LIMIT ?"
    return sql, [*parameters, limit]

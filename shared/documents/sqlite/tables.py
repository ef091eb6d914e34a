"""The tables of a SQLite document store: their columns, their statements, and how a row becomes a document.

Only names that ``check_name`` accepted and declared fields get into a statement; everything else is a parameter.
"""
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from shared.documents.contract import Document
from shared.documents.filters import Filters
from shared.documents.sorting import Stretch

Row = tuple[Any, ...]

_ITEM: Final = "key, version, state, message, user, changed, schema_version, created, created_by, deleted"
_HEAD: Final = f"{_ITEM}, side"
_ITEM_COLUMNS: Final = """
    key TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, message TEXT, user TEXT NOT NULL,
    changed TEXT NOT NULL, schema_version INTEGER NOT NULL, created TEXT NOT NULL, created_by TEXT NOT NULL,
    deleted INTEGER NOT NULL"""
KEYS: Final = "(SELECT value FROM json_each(?))"

KIT_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS last_instant (id INTEGER PRIMARY KEY CHECK (id = 1), instant TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, key TEXT NOT NULL,
        version INTEGER NOT NULL, type TEXT NOT NULL, event_key TEXT, event_id TEXT, data BLOB, at TEXT NOT NULL,
        correlation_id TEXT NOT NULL, causation_id TEXT, traceparent TEXT, keys TEXT)""",
    "CREATE INDEX IF NOT EXISTS outbox_by_document ON outbox (resource, key)",
    """CREATE TABLE IF NOT EXISTS idempotency_records (
        id TEXT PRIMARY KEY, outcome BLOB NOT NULL, expires_at INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS idempotency_records_by_expiry ON idempotency_records (expires_at)",
    "CREATE TABLE IF NOT EXISTS dead_letters (id TEXT PRIMARY KEY, letter BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS parts (
        name TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (name, number))""",
    """CREATE TABLE IF NOT EXISTS leases (
        name TEXT PRIMARY KEY, holder TEXT, lease_until REAL, fence INTEGER NOT NULL, record TEXT)""",
)


class DocumentStatements:
    """The statements on ``{name}.heads``, the latest versions, and ``{name}.items``, the versions overwritten."""

    def __init__(self, name: str) -> None:
        heads, items = f'"{name}.heads"', f'"{name}.items"'
        self.name = name
        self._heads = heads
        self._tables = (
            f"CREATE TABLE IF NOT EXISTS {heads} ({_ITEM_COLUMNS}, side TEXT NOT NULL, PRIMARY KEY (key))",
            f"CREATE TABLE IF NOT EXISTS {items} ({_ITEM_COLUMNS}, PRIMARY KEY (key, version))",
            f'CREATE INDEX IF NOT EXISTS "{name}.heads deleted" ON {heads} (key) WHERE deleted = 1',
        )
        self.head = f"SELECT {_HEAD} FROM {heads} WHERE key = ?"
        self.heads = f"SELECT {_HEAD} FROM {heads} WHERE key IN {KEYS} AND deleted = 0"
        self.existing = f"SELECT key, deleted FROM {heads} WHERE key IN {KEYS}"
        self.version = f"SELECT {_ITEM} FROM {items} WHERE key = ? AND version = ?"
        self.versions = f"SELECT {_ITEM} FROM {items} WHERE key = ? AND version BETWEEN ? AND ? ORDER BY version DESC"
        self.page = f"SELECT {_HEAD} FROM {heads} WHERE deleted = 0"
        self.purgeable = f"""SELECT key FROM {heads} h WHERE deleted = 1
            AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.resource = '{name}' AND o.key = h.key)"""
        self.purge_heads = f"DELETE FROM {heads} WHERE key IN {KEYS} AND deleted = 1 RETURNING key"
        self.purge_items = f"DELETE FROM {items} WHERE key IN {KEYS}"
        self.keep_version = f"INSERT INTO {items} ({_ITEM}) SELECT {_ITEM} FROM {heads} WHERE key = ?"
        self.write = f"REPLACE INTO {heads} ({_HEAD}) VALUES ({', '.join('?' * len(_HEAD.split(', ')))})"
        self.amend = f"UPDATE {heads} SET side = ? WHERE key = ?"
        columns = ", ".join(f"v.{column}" for column in _ITEM.split(", "))
        self.wanted = tuple(
            f"SELECT {columns} FROM json_each(?) w CROSS JOIN {table} v "
            "ON v.key = json_extract(w.value, '$[0]') AND v.version = json_extract(w.value, '$[1]')"
            for table in (heads, items)
        )

    def tables(self, filters: Filters) -> list[str]:
        """Makes the tables and indexes; each statement is harmless when it is done again."""
        return [*self._tables, *indexes(self._heads, filters)]

    def create(self, count: int) -> str:
        """Inserts heads: the columns they share, in the order of ``encode``, then key and state of each."""
        shared = [column for column in _HEAD.split(", ") if column not in ("key", "state")]
        marks, pairs = ", ".join("?" * len(shared)), ", ".join(["(?, ?)"] * count)
        return (
            f"INSERT INTO {self._heads} ({', '.join(shared)}, key, state) "
            f"SELECT shared.*, own.column1, own.column2 FROM (SELECT {marks}) shared, (VALUES {pairs}) own"
        )


document_statements: Final = lru_cache(maxsize=None)(DocumentStatements)


def indexes(table: str, filters: Filters) -> list[str]:
    name = table.strip('"')
    return [
        f'CREATE INDEX IF NOT EXISTS "{name} by {field}" ON {table} ({_field(field)}, key) WHERE deleted = 0'
        for field in filters.fields
    ]


def _field(field: str) -> str:
    """The expression of a declared field; its index is used only where it is written exactly so."""
    path = "".join(f'."{part}"' for part in field.split("."))
    return f"json_extract(state, '${path}')"


@dataclass(frozen=True, slots=True)
class Sorted:
    """An order other than that of the keys: by a declared field and then by key. ``stretch``: only these; None: all."""

    by: str
    stretch: Stretch | None
    descending: bool


def page_of(
    statement: str,
    filters: Filters,
    where: Mapping[str, Any] | None,
    after: str | None,
    limit: int,
    order: Sorted | None = None,
) -> tuple[str, list[Any]]:
    """The statement, which ends with a condition, and its parameters for the first rows that match, in order."""
    parameters: list[Any] = []
    for name, value in filters.wanted(where).items() if where else ():
        if value is None:
            statement += f" AND {_field(name)} IS NULL"
        elif isinstance(value, list):
            statement += f" AND {_field(name)} IN {KEYS}"
            parameters.append(orjson.dumps(value).decode())
        else:
            statement += f" AND {_field(name)} = ?"
            parameters.append(value)
    by, way, beyond = "", "", ">"
    if order is not None:
        filters.check([order.by])
        field, stretch = _field(order.by), order.stretch
        if order.descending:
            way, beyond = " DESC", "<"
        if stretch is None or stretch.beyond:  # of one value, the index is by key
            by = f"{field}{way}, "
        if stretch is not None and stretch.value is None:
            statement += f" AND {field} IS {'NOT ' if stretch.beyond else ''}NULL"
        elif stretch is not None:
            statement += f" AND {field} {beyond if stretch.beyond else '='} ?"
            parameters.append(stretch.value)
    if after is not None:
        statement += f" AND key {beyond} ?"
        parameters.append(after)
    return f"{statement} ORDER BY {by}key{way} LIMIT ?", [*parameters, limit]


def encode(document: Document) -> Row:
    """A row of heads."""
    key, version, _, state, *managed, side = document
    return (key, version, orjson.dumps(state).decode(), *managed, orjson.dumps(side).decode())


def decode(row: Row) -> Document:
    """A row of heads or items."""
    key, version, text, message, user, changed, schema, created, created_by, deleted, *rest = row
    state, side = orjson.loads(text), orjson.loads(rest[0]) if rest else {}
    return Document(
        key, version, version, state, message, user, changed, schema, created, created_by, bool(deleted), side
    )

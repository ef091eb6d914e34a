"""Owns how documents lie in SQLite: a table of heads and one of old versions for each resource type, times in ms."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from shared.documents.filters import Filters
from shared.documents.versions import Head, Item

__all__ = [
    "HEAD",
    "ITEM",
    "KIT_TABLES",
    "Row",
    "add_missing_columns",
    "decode_head",
    "decode_item",
    "encode_item",
    "field_of",
    "instant",
    "milliseconds",
    "read_model_tables",
    "resource_tables",
]

Row = tuple[Any, ...]

ITEM: Final = "key, version, deleted, schema_version, message, user, timestamp, created_at, created_by, state"
"""The columns of one version, in heads and items alike."""

HEAD: Final = f"{ITEM}, side"

_ITEM_COLUMNS: Final = """
    key TEXT NOT NULL, version INTEGER NOT NULL, deleted INTEGER NOT NULL, schema_version INTEGER NOT NULL,
    message TEXT, user TEXT NOT NULL, timestamp INTEGER NOT NULL, created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL, state TEXT NOT NULL"""

KIT_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, number INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
        type TEXT NOT NULL, event_key TEXT, event_id TEXT, data BLOB, at INTEGER NOT NULL,
        correlation TEXT NOT NULL, causation TEXT, traceparent TEXT, keys TEXT)""",
    "CREATE INDEX IF NOT EXISTS outbox_by_document ON outbox (resource, key)",
    """CREATE TABLE IF NOT EXISTS answers (
        name TEXT PRIMARY KEY, digest TEXT NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, outcome TEXT NOT NULL,
        version INTEGER NOT NULL, problem BLOB, body BLOB, expires INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires)",
    "CREATE TABLE IF NOT EXISTS dead_letters (id TEXT PRIMARY KEY, letter BLOB NOT NULL)",
)


def add_missing_columns(connection: sqlite3.Connection) -> None:
    """Brings the tables of a file that an earlier EPIC made up to what ``KIT_TABLES`` says."""
    if "keys" not in {row[1] for row in connection.execute("PRAGMA table_info(outbox)")}:
        connection.execute("ALTER TABLE outbox ADD COLUMN keys TEXT")


def resource_tables(name: str, filters: Filters) -> list[str]:
    """The statements that make a resource type's tables and indexes, each harmless when done again."""
    return [
        f'CREATE TABLE IF NOT EXISTS "{name}.heads" ({_ITEM_COLUMNS}, side TEXT NOT NULL, PRIMARY KEY (key))',
        f'CREATE TABLE IF NOT EXISTS "{name}.items" ({_ITEM_COLUMNS}, PRIMARY KEY (key, version))',
        *_indexes(f"{name}.heads", filters),
    ]


def read_model_tables(name: str, filters: Filters) -> list[str]:
    """The same of a replica."""
    table = f"read_model.{name}"
    return [
        f'CREATE TABLE IF NOT EXISTS "{table}" (key TEXT PRIMARY KEY, version INTEGER NOT NULL, '
        "deleted INTEGER NOT NULL, state TEXT NOT NULL)",
        *_indexes(table, filters),
    ]


def _indexes(table: str, filters: Filters) -> list[str]:
    return [
        f'CREATE INDEX IF NOT EXISTS "{table} by {field}" ON "{table}" ({field_of(field)}, key) WHERE deleted = 0'
        for field in filters.fields
    ]


def field_of(field: str) -> str:
    """The expression of a declared field; its index is used only where it is written exactly so."""
    path = "".join(f'."{part}"' for part in field.split("."))
    return f"json_extract(state, '${path}')"


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def instant(value: int) -> datetime:
    return _EPOCH + value * _MILLISECOND


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def encode_item(key: str, item: Item) -> Row:
    return (
        key,
        item.version,
        item.deleted,
        item.schema_version,
        item.message,
        item.user,
        milliseconds(item.timestamp),
        milliseconds(item.created_at),
        item.created_by,
        orjson.dumps(item.state).decode(),
    )


def decode_item(row: Row) -> Item:
    """A version, of a row that begins with the columns ``ITEM``."""
    _, version, deleted, schema, message, user, timestamp, created_at, created_by, state, *_ = row
    return Item(
        version=version,
        number=version,
        state=orjson.loads(state),
        deleted=bool(deleted),
        message=message,
        user=user,
        timestamp=instant(timestamp),
        schema_version=schema,
        created_at=instant(created_at),
        created_by=created_by,
    )


def decode_head(row: Row) -> Head:
    """A head, of a row of ``ITEM`` and ``side``."""
    item = decode_item(row)
    return Head(row[0], item.version, item, orjson.loads(row[10]))

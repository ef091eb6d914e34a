"""The kit's tables, which every relational store has beside its service's own, and what tables are made with."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Connection, Index, MetaData, Table
from sqlalchemy.sql.schema import SchemaItem

from shared.relational.types import UtcTimestamp, ascii_id, big_integer, long_text, name_text

KIT_TABLES: Final = MetaData()
TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}


def lease_columns() -> list[SchemaItem]:
    """Who holds the row, until when by the database's clock, and under which fencing number (0 before the first)."""
    return [
        Column("Holder", ascii_id(64), nullable=True),
        Column("LeaseUntil", UtcTimestamp(), nullable=True),
        Column("Fence", big_integer(), nullable=False),
    ]


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Creates the tables and indexes that are missing: on MySQL an earlier attempt may have ended between two."""
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, KIT_TABLES, *items, **TABLE_OPTIONS)


OUTBOX: Final = _table(
    "outbox",
    Column("Id", big_integer(), primary_key=True, autoincrement=True),
    Column("MessageId", name_text(512), nullable=False),
    Column("Topic", ascii_id(249), nullable=False),
    Column("MessageKey", name_text(512), nullable=False),
    Column("OccurredAt", UtcTimestamp(), nullable=False),
    Column("Headers", long_text(), nullable=False),
    Column("Body", long_text(), nullable=False),
    Index("outbox_key", "MessageKey"),
)
INBOX: Final = _table(
    "inbox",
    Column("Consumer", name_text(128), primary_key=True),
    Column("MessageId", ascii_id(64), primary_key=True),
    Column("SeenAt", UtcTimestamp(), nullable=False),
    Index("inbox_seen", "SeenAt"),
)
IDEMPOTENCY_RECORDS: Final = _table(
    "idempotency_records",
    Column("RecordId", ascii_id(64), primary_key=True),
    Column("Cause", long_text(), nullable=False),
    Column("Digest", ascii_id(64), nullable=False),
    Column("State", ascii_id(16), nullable=False),
    Column("Reference", name_text(), nullable=True),
    Column("Body", long_text(), nullable=True),
    Column("ExpiresAt", UtcTimestamp(), nullable=False),
    Index("idempotency_records_expire", "ExpiresAt"),
)
LEASES: Final = _table(
    "leases",
    Column("Name", ascii_id(64), primary_key=True),
    *lease_columns(),
    Column("Record", long_text(), nullable=True),
)
DEAD_LETTERS: Final = _table(
    "dead_letters", Column("Id", name_text(512), primary_key=True), Column("Letter", long_text(), nullable=False)
)
META: Final = _table(
    "meta", Column("Name", ascii_id(64), primary_key=True), Column("Instant", UtcTimestamp(), nullable=True)
)

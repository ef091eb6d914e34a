"""The tables that every relational store has beside its service's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, Index, MetaData, Table
from sqlalchemy.sql.schema import SchemaItem

from shared.relational.lease import lease_columns
from shared.relational.types import UtcTimestamp, ascii_id, big_integer, long_text, name_text

TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}


@dataclass(frozen=True, slots=True)
class KitTables:
    """The kit's tables within one service's metadata."""

    outbox: Table
    inbox: Table
    idempotency_records: Table
    leases: Table
    dead_letters: Table
    meta: Table


def kit_tables(metadata: MetaData) -> KitTables:
    """Adds the kit's tables to a service's metadata. A migration names their columns itself, since these may change."""
    columns: dict[str, list[SchemaItem]] = {
        "outbox": [
            Column("Id", big_integer(), primary_key=True, autoincrement=True),
            Column("MessageId", name_text(512), nullable=False),
            Column("Topic", ascii_id(249), nullable=False),
            Column("Type", name_text(), nullable=False),
            Column("MessageKey", name_text(512), nullable=False),
            Column("OccurredAt", UtcTimestamp(), nullable=False),
            Column("Envelope", long_text(), nullable=False),
            Column("Body", long_text(), nullable=False),
            Index("outbox_key", "MessageKey"),
        ],
        "inbox": [
            Column("Consumer", name_text(128), primary_key=True),
            Column("MessageId", ascii_id(64), primary_key=True),
            Column("SeenAt", UtcTimestamp(), nullable=False),
            Index("inbox_seen", "SeenAt"),
        ],
        "idempotency_records": [
            Column("RecordId", ascii_id(64), primary_key=True),
            Column("Cause", long_text(), nullable=False),
            Column("Digest", ascii_id(64), nullable=False),
            Column("State", ascii_id(16), nullable=False),
            Column("Reference", name_text(), nullable=True),
            Column("Body", long_text(), nullable=True),
            Column("ExpiresAt", UtcTimestamp(), nullable=False),
            Index("idempotency_records_expire", "ExpiresAt"),
        ],
        "leases": [
            Column("Name", ascii_id(64), primary_key=True),
            *lease_columns(),
            Column("Record", long_text(), nullable=True),
        ],
        "dead_letters": [Column("Id", name_text(512), primary_key=True), Column("Letter", long_text(), nullable=False)],
        "meta": [Column("Name", ascii_id(64), primary_key=True), Column("Instant", UtcTimestamp(), nullable=True)],
    }
    return KitTables(**{name: Table(name, metadata, *items, **TABLE_OPTIONS) for name, items in columns.items()})


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Creates the tables and indexes that are missing: on MySQL an earlier attempt may have ended between two."""
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)

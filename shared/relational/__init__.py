"""The relational store of the kit: transactions with inbox, outbox and kept answers, alike on MySQL and SQLite."""

from shared.relational.bulk import insert_rows
from shared.relational.database import Database, UnitOfWork
from shared.relational.deadletters import RelationalDeadLetters
from shared.relational.idempotency import IdempotencyRecord
from shared.relational.migration import add_missing, create_missing, migrations_in, run_environment
from shared.relational.outbox import OutboxState
from shared.relational.tables import TABLE_OPTIONS, KitTables, kit_columns, kit_tables
from shared.relational.types import UtcTimestamp, ascii_id, big_integer, database_now, long_text, name_text

__all__ = [
    "TABLE_OPTIONS",
    "Database",
    "IdempotencyRecord",
    "KitTables",
    "OutboxState",
    "RelationalDeadLetters",
    "UnitOfWork",
    "UtcTimestamp",
    "add_missing",
    "ascii_id",
    "big_integer",
    "create_missing",
    "database_now",
    "insert_rows",
    "kit_columns",
    "kit_tables",
    "long_text",
    "migrations_in",
    "name_text",
    "run_environment",
]

"""The relational store of the kit, alike on MySQL and SQLite: transactions, and the guarantees that lie in them."""

from shared.durability.idempotency import IdempotencyRecord
from shared.relational.bulk import insert_rows, slices
from shared.relational.database import Database, Migrate, UnitOfWork
from shared.relational.lease import RELEASED, claimed, is_free, is_held, lease_columns
from shared.relational.migration import migrations_in, run_environment
from shared.relational.read_models import ReadModelTable, RelationalReadModel
from shared.relational.tables import TABLE_OPTIONS, KitTables, create_missing, kit_tables
from shared.relational.types import UtcTimestamp, ascii_id, big_integer, database_now, long_text, name_text

__all__ = [
    "RELEASED",
    "TABLE_OPTIONS",
    "Database",
    "IdempotencyRecord",
    "KitTables",
    "Migrate",
    "ReadModelTable",
    "RelationalReadModel",
    "UnitOfWork",
    "UtcTimestamp",
    "ascii_id",
    "big_integer",
    "claimed",
    "create_missing",
    "database_now",
    "insert_rows",
    "is_free",
    "is_held",
    "kit_tables",
    "lease_columns",
    "long_text",
    "migrations_in",
    "name_text",
    "run_environment",
    "slices",
]

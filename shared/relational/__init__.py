"""The relational store of the kit, alike on MySQL and SQLite: transactions, and the guarantees that lie in them."""

from shared.relational.bulk import insert_rows, slices
from shared.relational.database import Database
from shared.relational.kit_stores import RELEASED, claimed, is_free, is_held
from shared.relational.migration import migrations_in, run_environment
from shared.relational.read_models import ReadModelTable
from shared.relational.tables import (
    KIT_TABLES,
    TABLE_OPTIONS,
    UtcTimestamp,
    big_integer,
    create_missing,
    database_now,
    lease_columns,
    long_text,
    short_text,
)
from shared.relational.unit_of_work import UnitOfWork

__all__ = [
    "KIT_TABLES",
    "RELEASED",
    "TABLE_OPTIONS",
    "Database",
    "ReadModelTable",
    "UnitOfWork",
    "UtcTimestamp",
    "big_integer",
    "claimed",
    "create_missing",
    "database_now",
    "insert_rows",
    "is_free",
    "is_held",
    "lease_columns",
    "long_text",
    "migrations_in",
    "run_environment",
    "short_text",
    "slices",
]

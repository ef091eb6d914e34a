"""Owns how a schema is brought up to date: Alembic at a service's start, one process at a time, on both dialects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from alembic import command, context, op
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Column, Connection, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import EpicError, Unavailable
from shared.relational.engine import WRITING

__all__ = ["add_missing", "create_missing", "migrations_in", "run_environment"]

_LOCK_SECONDS: Final = 120


def migrations_in(folder: Path, *, name: str) -> Callable[[AsyncEngine], Awaitable[None]]:
    """What brings a database to the newest revision in ``folder``; ``name`` is the service's, for the lock.

    Idempotent. On SQLite it is one transaction; MySQL commits each statement, so a revision must stand repetition.
    EpicError when the database is of a revision that is not in ``folder``: a newer version made it.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise EpicError(
                f"the tables of {name} are of a revision that this version does not know ({error}); "
                f"start the version of {name} that made them, or restore the backup made before it"
            ) from error

    async def migrate(engine: AsyncEngine) -> None:
        if engine.dialect.name == "sqlite":
            async with engine.execution_options(**{WRITING: True}).begin() as connection:
                await connection.run_sync(upgrade)
            return
        async with engine.connect() as connection:
            lock = {"name": f"epic-migrate-{name}", "seconds": _LOCK_SECONDS}
            if (await connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), lock)).scalar() != 1:
                raise Unavailable(f"another process has been migrating the schema of {name} for {_LOCK_SECONDS} s")
            try:
                await connection.run_sync(upgrade)
                await connection.commit()  # before the lock goes: whoever has it next must see the revision
            finally:
                await connection.rollback()
                await connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": lock["name"]})

    return migrate


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Creates the tables and indexes that are not there yet: MySQL may have been broken off between any two of them."""
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)


def add_missing(connection: Connection, table: str, column: Column[Any]) -> None:
    """Adds a column that is not there yet; it needs a default of the database, since older replicas write none."""
    if column.name not in {present["name"] for present in inspect(connection).get_columns(table)}:
        op.add_column(table, column)


def run_environment(metadata: MetaData) -> None:
    """What a service's ``env.py`` does: runs its revisions on the connection it was given."""
    options: dict[str, Any] = {"target_metadata": metadata, "transactional_ddl": False, "compare_type": True}
    context.configure(connection=context.config.attributes["connection"], **options)
    context.run_migrations()

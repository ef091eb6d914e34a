"""Bringing a schema up to date: Alembic at a service's start, one process at a time, on both dialects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command, context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from shared.errors import EpicError, Unavailable
from shared.relational.transactions import Transactions

_LOCK_SECONDS: Final = 120  # longer than any migration takes; a process that dies releases the lock
_LOCK_NAME: Final = 64  # characters, the most that MySQL takes


def migrations_in(folder: Path, *, name: str) -> Callable[[Connection], None]:
    """Brings a database to the newest revision in ``folder``; ``name`` is the service's.

    Idempotent. MySQL commits each statement, so each revision must bear repetition. EpicError when the database has a
    revision that is not in ``folder``: a newer version made it.
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
                f"the tables of {name} have a revision that this version does not know ({error}); "
                f"start the version of {name} that made them, or restore the backup made before it"
            ) from error

    return upgrade


async def migrate_alone(transactions: Transactions, upgrade: Callable[[Connection], None]) -> None:
    """Runs ``upgrade`` while no other process does. On SQLite it is one transaction.

    Unavailable when another process holds the database's lock for two minutes.
    """
    if transactions.dialect == "sqlite":
        await transactions.transact(lambda connection: connection.run_sync(upgrade))
        return
    database = transactions.engine.url.database
    lock = {"name": f"epic-migrate-{database}"[:_LOCK_NAME], "seconds": _LOCK_SECONDS}

    async def under_lock() -> None:
        async with transactions.engine.connect() as connection:
            if (await connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), lock)).scalar() != 1:
                raise Unavailable(f"another process has been migrating {database} for {_LOCK_SECONDS} s")
            try:
                await connection.run_sync(upgrade)
                await connection.commit()  # before the lock is released: the next holder must see the revision
            finally:
                await connection.rollback()
                await connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": lock["name"]})

    await transactions.repeat(under_lock)


def run_environment() -> None:
    """What a service's ``env.py`` does: runs the revisions on the connection that ``migrations_in`` has."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
    context.run_migrations()

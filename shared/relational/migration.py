"""Bringing a schema up to date: Alembic at a service's start, one process at a time, on both dialects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from alembic import command, context
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import EpicError, Unavailable
from shared.relational.database import Migrate
from shared.relational.engine import WRITING
from shared.relational.read_models import ReadModelTable

_LOCK_SECONDS: Final = 120  # longer than any migration takes; a process that dies releases the lock


def migrations_in(folder: Path, *, name: str) -> Migrate:
    """Brings a database to the newest revision in ``folder``, then the read models to their declarations.

    ``name`` is the service's, for the lock. Idempotent. On SQLite it is one transaction. MySQL commits each statement,
    so each revision must bear repetition. EpicError when the database has a revision that is not in ``folder``: a newer
    version made it.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")

    def upgrade(connection: Connection, read_models: Sequence[ReadModelTable]) -> None:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise EpicError(
                f"the tables of {name} have a revision that this version does not know ({error}); "
                f"start the version of {name} that made them, or restore the backup made before it"
            ) from error
        for declared in read_models:
            declared.bring_up_to_date(connection)

    async def migrate(engine: AsyncEngine, read_models: Sequence[ReadModelTable] = ()) -> None:
        if engine.dialect.name == "sqlite":
            async with engine.execution_options(**{WRITING: True}).begin() as connection:
                await connection.run_sync(upgrade, read_models)
            return
        async with engine.connect() as connection:
            lock = {"name": f"epic-migrate-{name}", "seconds": _LOCK_SECONDS}
            if (await connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), lock)).scalar() != 1:
                raise Unavailable(f"another process has been migrating the schema of {name} for {_LOCK_SECONDS} s")
            try:
                await connection.run_sync(upgrade, read_models)
                await connection.commit()  # before the lock is released: the next holder must see the revision
            finally:
                await connection.rollback()
                await connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": lock["name"]})

    return migrate


def run_environment(metadata: MetaData) -> None:
    """What a service's ``env.py`` does: runs the revisions on the connection that ``migrations_in`` gives it."""
    options: dict[str, Any] = {"target_metadata": metadata, "transactional_ddl": False, "compare_type": True}
    context.configure(connection=context.config.attributes["connection"], **options)
    context.run_migrations()

"""The floors' connection to MySQL: aiomysql alone, UTC, each statement or batch committed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomysql
from sqlalchemy.engine import make_url


class Sql:
    """One connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncIterator[Sql]:
        """Connected, by SQLAlchemy's form of a URL."""
        at = make_url(url)
        connection = await aiomysql.connect(
            host=at.host,
            port=at.port,
            user=at.username,
            password=at.password,
            db=at.database,
            charset="utf8mb4",
            init_command="SET time_zone = '+00:00'",
        )
        try:
            yield cls(connection)
        finally:
            connection.close()

    async def run(self, statement: str) -> list[Any]:
        """The rows of one statement."""
        async with self.connection.cursor() as cursor:
            await cursor.execute(statement)
            rows = list(await cursor.fetchall())
        await self.connection.commit()
        return rows

    async def number(self, statement: str) -> int:
        """The one number a statement answers; nothing is 0."""
        return int((await self.run(statement))[0][0] or 0)

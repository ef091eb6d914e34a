"""A service's SQLite file: one thread writes, short reads by key run on the loop itself, longer ones in two threads."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from shared.durability.sqlite_writer import Writer, away
from shared.errors import Unavailable

T = TypeVar("T")
Row = tuple[Any, ...]


class SqliteFile(Writer):
    """A read sees all that is committed when it begins."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._own: sqlite3.Connection | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def start(self) -> None:
        await super().start()
        self._own = self._connect(self._path)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"reader {self._path.name}")

    async def stop(self) -> None:
        own, threads = self._own, self._threads
        self._own = self._threads = None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        for connection in (*self._opened, *([own] if own else [])):
            connection.close()
        self._opened.clear()
        await super().stop()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, read on the loop: for reads by key, which take some 10 µs, less than a thread's turn."""
        if self._own is None:
            raise Unavailable("the store is not running")
        with away():
            row: Row | None = self._own.execute(sql, parameters).fetchone()
        return row

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows."""
        return await self.read(lambda connection: connection.execute(sql, parameters).fetchall())

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """What ``fn`` reads, in a thread, from one state of the file."""
        if self._threads is None:
            raise Unavailable("the store is not running")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, fn)

    def _in_thread(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(self._path)
            self._opened.append(connection)
        with away():
            connection.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                connection.execute("COMMIT")

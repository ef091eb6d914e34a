"""The thread that writes a SQLite file: whole transactions as functions, many of them in one commit."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from shared.errors import Unavailable

T = TypeVar("T")
_TOGETHER: Final = 256  # transactions in one commit: enough to share a sync, few enough for an answer in milliseconds
_AWAY: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    )
)
_Outcome = tuple[Any, Exception | None]
_Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose transactions are begun and ended by hand. What is committed survives a power cut."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


@contextmanager
def away() -> Iterator[None]:
    """Raises Unavailable in place of an error that says that the file cannot be used now."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in _AWAY:
            raise Unavailable(f"the data folder cannot be used now: {error}") from error
        raise


class Writer:
    """Runs functions of the connection one after another, each all or nothing. A result means it is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connect = connect
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        connection = self._connect(self._path)
        self._thread = threading.Thread(target=self._work, args=(connection,), name=f"writer {self._path.name}")
        self._thread.start()

    async def stop(self) -> None:
        """Returns when everything that was asked for is written."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def run(self, transaction: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """The function's result, once it is durable. What it raises is raised there, and nothing of it is kept.

        It runs behind all that were asked for before, whether or not the caller still waits.
        """
        if self._thread is None or self._loop is None:
            raise Unavailable("the store is not running")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((transaction, future))
        return future

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> asyncio.Future[list[Any]]:
        """The rows of one statement, a transaction by itself."""
        return self.run(lambda connection: connection.execute(sql, parameters).fetchall())

    def _work(self, opened: sqlite3.Connection) -> None:
        connection: sqlite3.Connection | None = opened
        running = True
        while running:
            waiting = [self._jobs.get()]
            while waiting[-1] is not None and len(waiting) < _TOGETHER and not self._jobs.empty():
                waiting.append(self._jobs.get())
            running = waiting[-1] is not None
            jobs = [job for job in waiting if job is not None]
            if not jobs:
                break
            try:
                connection = connection or self._connect(self._path)
                outcomes = _commit(connection, jobs)
            except Exception as error:
                outcomes = [(None, error)] * len(jobs)
                if connection is not None:
                    connection.close()  # takes back what was not committed
                connection = None
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_resolve, jobs, outcomes)
        if connection is not None:
            connection.close()


def _commit(connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    with away():
        connection.execute("BEGIN IMMEDIATE")
        for transaction, _ in jobs:
            connection.execute("SAVEPOINT job")
            try:
                outcomes.append((transaction(connection), None))
            except Exception as error:
                connection.execute("ROLLBACK TO job")
                outcomes.append((None, error))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    return outcomes


def _resolve(jobs: list[_Job], outcomes: list[_Outcome]) -> None:
    for (_, future), (result, error) in zip(jobs, outcomes, strict=True):
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

"""The thread that writes a SQLite file: whole transactions as functions, many of them in one commit."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
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

    async def run(self, transaction: Callable[[sqlite3.Connection], T]) -> T:
        """The function's result, once it is durable. What it raises is raised here, and nothing of it is kept.

        It runs whether or not the caller still waits.
        """
        return await self.begin(transaction)

    def begin(self, transaction: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """As ``run``, without waiting: the transaction runs behind all that were begun before."""
        if self._thread is None or self._loop is None:
            raise Unavailable("the store is not running")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((transaction, future))
        return future

    def _work(self, opened: sqlite3.Connection) -> None:
        connection: sqlite3.Connection | None = opened
        running = True
        while running:
            jobs, running = self._take()
            if not jobs:
                continue
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

    def _take(self) -> tuple[list[_Job], bool]:
        """The jobs that wait, at least one; and whether more may come."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _TOGETHER or self._jobs.empty():
                break
            job = self._jobs.get()
        return jobs, job is not None


def _commit(connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
    with away():
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, transaction) for transaction, _ in jobs]
        connection.execute("COMMIT")
    return outcomes


def _attempt(connection: sqlite3.Connection, transaction: Callable[[sqlite3.Connection], Any]) -> _Outcome:
    connection.execute("SAVEPOINT job")
    try:
        result = transaction(connection)
    except Exception as error:
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return None, error
    connection.execute("RELEASE job")
    return result, None


def _resolve(jobs: list[_Job], outcomes: list[_Outcome]) -> None:
    for (_, future), (result, error) in zip(jobs, outcomes, strict=True):
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

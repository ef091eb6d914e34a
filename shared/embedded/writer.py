"""Owns the one thread that writes the embedded log's file: all that waits is committed at once, with one sync."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from shared.embedded import storage
from shared.embedded.batches import StoredBatch
from shared.embedded.partitions import Partition

__all__ = ["Group", "GroupCommitWriter", "Sealed", "Work"]

_log: Final = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Sealed:
    """A batch on its way to the disk, and those who wait for it: each with its record's timestamp."""

    partition: Partition
    batch: StoredBatch
    waiting: list[tuple[asyncio.Future[Any], int | None]]


@dataclass(slots=True, eq=False)
class Work:
    """A function that runs as a whole transaction; ``future`` gets what it returns, or its error."""

    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    returned: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Group:
    """What is committed together: ``segments`` (by topic id) hold the ``batches``. With ``error`` nothing happened."""

    batches: list[Sealed] = field(default_factory=list)
    segments: list[tuple[int, storage.Segment]] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    error: BaseException | None = None


class GroupCommitWriter:
    """Commits groups in the order they came and hands each to ``settle``, on the event loop it was started on.

    ``start`` answers when the file is open; ``stop`` when all that came before is on the disk. After an error of the
    disk that commit's writes fail and the next are tried anew.
    """

    def __init__(self, path: Path, settle: Callable[[Group], None]) -> None:
        self._path = path
        self._settle = settle
        self._queue: SimpleQueue[Group | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None

    async def start(self, load: Callable[[sqlite3.Connection], T]) -> T:
        """Open the file; answers what ``load`` reads there."""
        loop = self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[T] = loop.create_future()
        self._ended = loop.create_future()
        threading.Thread(target=self._run, args=(load, opened, self._ended), name="epic-log", daemon=True).start()
        return await opened

    async def stop(self) -> None:
        self._queue.put(None)
        if self._ended is not None:
            await self._ended

    def submit(self, group: Group) -> None:
        self._queue.put(group)

    def _run(
        self, load: Callable[[sqlite3.Connection], T], opened: asyncio.Future[T], ended: asyncio.Future[None]
    ) -> None:
        try:
            connection = storage.open_writer(self._path)
            loaded = load(connection)
        except Exception as error:
            self._tell(_answer, opened, None, error)
            return
        self._tell(_answer, opened, loaded, None)
        try:
            while (group := self._take()) is not None:
                _commit(connection, group)
                self._tell(self._settle, group)
        finally:
            connection.close()
            self._tell(_answer, ended, None, None)

    def _tell(self, what: Callable[..., None], *args: Any) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            _log.warning("the event loop was closed before the embedded log was stopped")

    def _take(self) -> Group | None:
        group = self._queue.get()
        while group is not None:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            group.batches += more.batches
            group.segments += more.segments
            group.works += more.works
        return group


def _commit(connection: sqlite3.Connection, group: Group) -> None:
    try:
        if group.works or len(group.segments) > storage.ROWS_A_STATEMENT:
            connection.execute("BEGIN IMMEDIATE")
        storage.insert_segments(connection, group.segments)
        for work in group.works:
            _as_savepoint(connection, work)
        if connection.in_transaction:
            connection.execute("COMMIT")
    except Exception as error:
        group.error = error
        with suppress(sqlite3.Error):  # a disk that failed the commit may fail this too; the next commit tells
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _as_savepoint(connection: sqlite3.Connection, work: Work) -> None:
    connection.execute("SAVEPOINT work")
    try:
        work.returned = work.run(connection)
    except Exception as error:
        work.error = error
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")


def _answer(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

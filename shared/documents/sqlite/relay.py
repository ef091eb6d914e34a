"""Owns how a SQLite outbox is published: oldest first, by one process at a time, until it is empty."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from functools import partial
from typing import Final

import structlog

from shared.documents.contract import OutboxState, Publish
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.outbox import Outbox, Waiting
from shared.documents.sqlite.reader import Reader
from shared.durability.backoff import Backoff
from shared.durability.sqlite_writer import Writer
from shared.errors import MessageTooLarge, Unavailable
from shared.tasks import end
from shared.trace import new_id

__all__ = ["Relay"]

log = structlog.get_logger(__name__)

_PAGE: Final = 2000
_LOOK: Final = 0.25  # seconds between looks for what another process wrote
_PURGE: Final = 3600.0
_BACKOFF: Final = Backoff(0.1, 5.0)


class Relay:
    """One process's relay. ``lease``: seconds after which another takes over from one that is gone."""

    def __init__(self, writer: Writer, reader: Reader, outbox: Outbox, publish: Publish, lease: float) -> None:
        self._writer = writer
        self._reader = reader
        self._outbox = outbox
        self._publish = publish
        self._lease = lease
        self._me = new_id()
        self._held_until = 0.0
        self._too_large: set[tuple[str, str]] = set()  # documents with an event that cannot be sent, by the last pass
        self._wake = asyncio.Event()
        self._passed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, patience: float = 2.0) -> None:
        """Publishes what is open, within ``patience`` seconds, and ends."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self._empty()
        except (TimeoutError, Unavailable):
            log.warning("stopped with events left in the outbox; they go at the next start")
        finally:
            await end(task)
        await self._writer.run(self._release)

    def wake(self) -> None:
        self._wake.set()

    async def drain(self) -> None:
        await self._empty()

    async def state(self) -> OutboxState:
        return await self._reader.read(self._outbox.state)

    async def _empty(self) -> None:
        while self._something():
            self._passed.clear()
            self._wake.set()
            try:
                async with asyncio.timeout(_LOOK):
                    await self._passed.wait()
            except TimeoutError:
                continue

    def _something(self) -> bool:
        return self._reader.one("SELECT 1 FROM outbox LIMIT 1") is not None

    async def _run(self) -> None:
        failures, purged = 0, 0.0
        while True:
            try:
                all_sent = not self._something() or not await self._mine() or await self._pass()
                if time.monotonic() - purged > _PURGE:
                    await self._writer.run(idempotency.purge)
                    purged = time.monotonic()
            except Unavailable as error:
                log.warning("events wait: the store is away", error=str(error))
                all_sent = False
            except Exception:
                log.exception("events wait: the relay failed, and goes on")
                all_sent = False
            failures = 0 if all_sent else failures + 1
            self._passed.set()
            if all_sent:
                await self._next_look()
            else:
                await asyncio.sleep(_BACKOFF.before(failures))

    async def _next_look(self) -> None:
        try:
            async with asyncio.timeout(_BACKOFF.longest if self._too_large else _LOOK):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _pass(self) -> bool:
        """Publishes from the oldest on; whether all went that can. A document whose event did not is left for later."""
        await self._writer.run(self._outbox.count)
        last, held_back = 0, set[tuple[str, str]]()
        self._too_large.clear()
        removed: asyncio.Future[None] | None = None  # the next page is read and sent meanwhile
        while await self._mine():
            page = await self._reader.read(partial(self._outbox.page, after=last, limit=_PAGE))
            if not page:
                break
            last = page[-1].seq
            waiting = [row for row in page if row.document not in held_back]
            sent = await self._send(waiting, held_back)
            if removed is not None:
                await removed
            removed = self._writer.begin(partial(self._outbox.remove, sent=sent)) if sent else None
            if waiting and not sent and not held_back <= self._too_large:
                return False
        if removed is not None:
            await removed
        return held_back <= self._too_large

    async def _send(self, rows: list[Waiting], held_back: set[tuple[str, str]]) -> list[Waiting]:
        outcomes = await self._publish([row.message for row in rows]) if rows else []
        sent = []
        for row, error in zip(rows, outcomes, strict=True):
            if error is None:
                sent.append(row)
            elif row.document not in held_back:
                held_back.add(row.document)
                if isinstance(error, MessageTooLarge):  # which the publisher says
                    self._too_large.add(row.document)
                    continue
                resource, key = row.document
                log.warning("an event waits: it could not be published", resource=resource, key=key, error=str(error))
        return sent

    async def _mine(self) -> bool:
        """Whether this process is the one that publishes: it holds the lease, or takes one that ran out."""
        if time.monotonic() < self._held_until - self._lease / 2:
            return True
        began = time.monotonic()
        if not await self._writer.run(self._take):
            return False
        self._held_until = began + self._lease
        return True

    def _take(self, connection: sqlite3.Connection) -> bool:
        now = time.time()
        row = connection.execute("SELECT value, number FROM meta WHERE name = 'relay'").fetchone()
        if row is not None and row[0] != self._me and row[1] > now * 1000:
            return False
        until = int((now + self._lease) * 1000)
        connection.execute("REPLACE INTO meta (name, value, number) VALUES ('relay', ?, ?)", (self._me, until))
        return True

    def _release(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM meta WHERE name = 'relay' AND value = ?", (self._me,))

"""Processes of fleet_svc that work on bulk jobs, and services that answer their commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from services.fleet_svc.app.bulk.bulk_store import BulkStore
from services.fleet_svc.app.bulk.start_bulk_job import NDJSON, NewBulkJob, start_bulk_job
from services.fleet_svc.app.bulk.work_bulk_jobs import BulkWork
from services.fleet_svc.app.bulk.write_rows import OwnRows, RowCommand, Send
from services.fleet_svc.resources import RESOURCES
from shared.documents import Documents
from shared.documents.sqlite import SqliteStore
from shared.resources import Declared
from shared.schemas.fleet_svc.bulk_job import BulkMode
from tests.support.broker import Broker
from tests.support.clock import FixedClock
from tests.support.document_stores import cause

CLOCK = FixedClock("2024-06-15T09:00:00Z")


class NoOtherService:
    """See ``Answers``: no row of these jobs is another service's."""

    def sending(self) -> AbstractAsyncContextManager[Send]:
        raise AssertionError("a row went to another service")

    def awaited(self, send: Send) -> int:
        raise AssertionError("a row went to another service")


@dataclass
class EventService:
    """See ``Answers``: ``answer`` stands for the service."""

    answer: Send

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Send]:
        yield self.answer

    def awaited(self, send: Send) -> int:
        return 1


@dataclass
class Process:
    """One process of fleet_svc, as far as its bulk jobs go. ``sent`` are the commands of rows that it obeyed."""

    store: SqliteStore
    jobs: BulkStore
    services: Documents
    work: BulkWork
    sent: list[str] = field(default_factory=list)

    @classmethod
    async def start(cls, path: Path) -> Process:
        store = SqliteStore(path, Broker().publish, source="fleet_svc")
        fleets = store.documents("fleet")
        declared = Declared(RESOURCES, store, CLOCK, others={"Fleet": fleets})
        jobs, own = BulkStore(store, CLOCK), OwnRows({one.name: one for one in declared.commands()}, CLOCK)
        sent: list[str] = []

        async def send(row: RowCommand) -> None:
            sent.append(row.id)
            await own(row)

        work = BulkWork(jobs, store.leases(), send, send, NoOtherService(), CLOCK, rows=10, look=0.05, lease=0.5)
        await store.start()
        return cls(store, jobs, declared["Service"].documents, work, sent)

    async def begin(self, rows: int, mode: BulkMode = BulkMode.CREATE, *, name: str = "S") -> str:
        async def body() -> AsyncIterator[bytes]:
            for number in range(rows):
                owner = {"ServiceType": "Registered", "Owner": "ann@example.com"}
                yield orjson.dumps({"ServiceId": f"{name}{number}", **owner}) + b"\n"

        new = NewBulkJob("Service", mode, False, NDJSON)
        written = await start_bulk_job(new, body(), cause(), jobs=self.jobs, wake=lambda: None)
        return written.document.key

    async def shown(self, job_id: str) -> dict[str, Any]:
        return (await self.jobs.view(await self.jobs.get(job_id), failures=True)).wire()

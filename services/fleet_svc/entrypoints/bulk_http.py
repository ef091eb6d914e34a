"""The HTTP routes of bulk jobs (4.280 to 4.284)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.fleet_svc.app.bulk.bulk_store import BulkStore
from services.fleet_svc.app.bulk.start_bulk_job import CSV, FORMATS, JSON, NDJSON, NewBulkJob
from services.fleet_svc.domain.bulk.failures import columns_of, csv_header, csv_line
from shared.cause import Cause
from shared.clock import Clock
from shared.documents import Document, Written
from shared.messaging.commands import Command
from shared.schemas.fleet_svc.bulk_job import BULK_LIMIT, BulkJob, BulkJobStatus, BulkMode, CancelBulkJob
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    json_response,
    operation_id_of,
    page_of,
    page_response,
    query_of,
    read_write,
    streamed_body,
)

Start = Callable[[NewBulkJob, AsyncIterator[bytes], Cause], Awaitable[Written]]

_ONE: Final = "/bulkjobs/{JobId}"
_BODIES: Final = {
    CSV: "ServiceId,ServiceType,Owner,Philosophy.MinHosts\nFORTRESSService,Registered,owner@amazon.com,2\n",
    JSON: [{"ServiceId": "FORTRESSService", "ServiceType": "Registered", "Owner": "owner@amazon.com"}],
    NDJSON: '{"ServiceId": "FORTRESSService", "LeaderAlias": "director1"}\n',
}
_FAILURES: Final = {
    CSV: "ServiceId,ServiceType,_Line,_Type,_Reason\nOrderService,Wrong,18,bad-input,/ServiceType: give one of …\n"
}
_FLAGS: Final = {"true": True, "false": False}


def _flag(text: Any) -> Any:
    if text not in _FLAGS:
        raise ValueError("give true or false")
    return _FLAGS[text]


_DRY_RUN: Final = Parameter(
    "DryRun",
    "`true` only checks the rows; those of another service by their contract alone.",
    of=Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "string", "enum": list(_FLAGS)})],
)
_MODE: Final = Parameter("Mode", "What a row may do: `upsert` unless given.", of=BulkMode)
_STATUS: Final = Parameter("Status", "Only those with this Status.", of=BulkJobStatus)


def bulk_routes(start: Start, cancel: Command[CancelBulkJob], jobs: BulkStore, clock: Clock) -> Routes:
    """The path of a new job has a resource's name where the path of a job has its id; OpenAPI has one path for both."""
    routes = Routes("BulkJob", "Many rows of one resource, written in the background.")
    do = _Handlers(start, cancel, jobs, clock)
    add = partial(routes.add, response=BulkJob)
    add(
        "POST",
        _ONE,
        do.start,
        action="bulkjob.start",
        operation_id="startBulkJob",
        summary="Start a bulk job; JobId is the name of a resource here, such as fleet",
        parameters=(_MODE, _DRY_RUN),
        body_types=FORMATS,
        streams=BULK_LIMIT,
        examples=_BODIES,
        conditional=False,
    )
    summary = "Stop a bulk job; what was written stays"
    add(
        "PUT",
        f"{_ONE}/cancel",
        do.cancel,
        action=cancel.action,
        operation_id=operation_id_of(CancelBulkJob),
        summary=summary,
        body=CancelBulkJob,
        conditional=False,
    )
    read = partial(add, "GET", action="bulkjob.read")
    parameters = (_STATUS, *PAGING)
    read("/bulkjobs", do.list, operation_id="listBulkJobs", summary="List bulk jobs", many=True, parameters=parameters)
    read(_ONE, do.one, operation_id="getBulkJob", summary="How far a bulk job is, and which rows failed")
    summary = "The failed rows as CSV, to be corrected and sent again"
    path, name = f"{_ONE}/failures", "getBulkJobFailures"
    read(path, do.failures, operation_id=name, summary=summary, response=None, media_type=CSV, examples=_FAILURES)
    return routes


class _Handlers:
    def __init__(self, start: Start, cancel: Command[CancelBulkJob], jobs: BulkStore, clock: Clock) -> None:
        self._start = start
        self._cancel = cancel
        self._jobs = jobs
        self._clock = clock

    async def start(self, request: Request) -> Response:
        query = query_of(request, (_MODE, _DRY_RUN))
        media_type = request.headers["content-type"].partition(";")[0].strip().lower()
        new = NewBulkJob(
            resource=request.path_params["JobId"],
            mode=BulkMode(query.get("Mode", BulkMode.UPSERT)),
            dry_run=query.get("DryRun", False),
            format=media_type,
        )
        _, cause = read_write(request, self._clock, conditional=False)
        written = await self._start(new, streamed_body(request), cause)
        return await self._shown(written.document)

    async def cancel(self, request: Request) -> Response:
        ids = checked_ids(request.path_params)
        query_of(request)
        body, cause = read_write(request, self._clock, conditional=False)
        written = await self._cancel.use_case(validated(CancelBulkJob, {**body, **ids}), cause)
        if not isinstance(written, Written):
            raise TypeError(f"{self._cancel.name} does not write a job")
        return await self._shown(written.document)

    async def one(self, request: Request) -> Response:
        return await self._shown(await self._job(request))

    async def list(self, request: Request) -> Response:
        query = query_of(request, (_STATUS, *PAGING))
        page = page_of(query, str)
        found = await self._jobs.page(query.get("Status"), after=page.after, limit=page.limit)
        items = [(await self._jobs.view(document, failures=False)).wire() for document in found.items]
        return page_response(items, found.next_after)

    async def failures(self, request: Request) -> Response:
        document = await self._job(request)
        columns: list[str] = []
        async for failure in self._jobs.failures(document):
            columns = columns_of([failure], columns)

        async def lines() -> AsyncIterator[str]:
            yield csv_header(columns)
            async for failure in self._jobs.failures(document):
                yield csv_line(failure, columns)

        return StreamingResponse(lines(), media_type=CSV)

    async def _job(self, request: Request) -> Document:
        ids = checked_ids(request.path_params)
        query_of(request)
        return await self._jobs.get(ids["JobId"])

    async def _shown(self, document: Document) -> Response:
        return json_response((await self._jobs.view(document, failures=True)).wire())

"""Owns HOTW's HTTP: its routes, and what each takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.hotw_svc.adapters.queries.queries import Queries
from services.hotw_svc.app import UseCases
from shared.clock import Clock
from shared.errors import BadInput, FieldError
from shared.resources import checked_ids, given_fields, page_response, validated, with_keys
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import (
    CancelRun,
    ExecuteFleet,
    FulfillmentStatus,
    Purpose,
    ReportDelivery,
    ReviewOrder,
    StartRun,
)
from shared.web import PAGING, Parameter, Routes, cursor_of, json_response, page_of, query_of, read_write

__all__ = ["routes"]


def routes(use_cases: UseCases, queries: Queries, clock: Clock) -> Routes:
    """Every route of HOTW but the kit's."""
    made = Routes("HOTW")
    _writes(made, _Writes(use_cases, clock))
    _reads(made, _Reads(queries))
    return made


class _Writes:
    def __init__(self, use_cases: UseCases, clock: Clock) -> None:
        self._use_cases = use_cases
        self._clock = clock

    async def start_run(self, request: Request) -> Response:
        asked = (await read_write(request, self._clock)).unconditional()
        command = validated(StartRun, given_fields(StartRun, asked.body))
        return json_response(await self._use_cases.start_run(command, asked.cause))

    async def cancel_run(self, request: Request) -> Response:
        asked = (await read_write(request, self._clock)).unconditional()
        keys = {"RunId": _number(request, "RunId")}
        body = {**asked.body, "RunId": asked.body.get("RunId", keys["RunId"])}
        if str(body["RunId"]) != str(keys["RunId"]):
            raise BadInput("the body's key is not the path's", [FieldError("/RunId", "correct it or leave it out")])
        command = validated(CancelRun, given_fields(CancelRun, body))
        return json_response(await self._use_cases.cancel_run(command, asked.cause))

    async def execute_fleet(self, request: Request) -> Response:
        asked = (await read_write(request, self._clock)).unconditional()
        keys = checked_ids(request.path_params)
        command = validated(ExecuteFleet, given_fields(ExecuteFleet, with_keys(asked.body, keys)))
        return json_response(await self._use_cases.execute_fleet(command, asked.cause))

    async def review_order(self, request: Request) -> Response:
        asked = (await read_write(request, self._clock)).unconditional()
        command = validated(ReviewOrder, given_fields(ReviewOrder, with_keys(asked.body, request.path_params)))
        return json_response(await self._use_cases.review_order(command, asked.cause))

    async def report_delivery(self, request: Request) -> Response:
        asked = (await read_write(request, self._clock)).unconditional()
        command = validated(ReportDelivery, given_fields(ReportDelivery, with_keys(asked.body, request.path_params)))
        return json_response(await self._use_cases.report_delivery(command, asked.cause))


class _Reads:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def run(self, request: Request) -> Response:
        query_of(request, ())
        return json_response(await self._queries.run(_number(request, "RunId")))

    async def executions(self, request: Request) -> Response:
        keys = checked_ids(request.path_params)
        page = page_of(query_of(request, ("Limit", "Cursor")), int)
        items, before = await self._queries.executions(
            keys["EventId"], keys["FleetId"], before=page.after, limit=page.limit
        )
        return page_response(items, before)

    async def asgs(self, request: Request) -> Response:
        query_of(request, ())
        keys = checked_ids({"FleetId": request.path_params["FleetId"]})
        return page_response(await self._queries.asgs(keys["FleetId"]), None)

    async def asgs_of_run(self, request: Request) -> Response:
        query_of(request, ())
        keys = checked_ids({"FleetId": request.path_params["FleetId"]})
        return page_response(await self._queries.asgs(keys["FleetId"], _number(request, "RunId")), None)

    async def dashboard(self, request: Request) -> Response:
        query = query_of(request, ("LeaderAlias", "Owner", "Limit", "Cursor"))
        page = page_of({"Limit": "1000"} | query)
        keys = checked_ids({"EventId": request.path_params["EventId"]})
        purpose = _one_of(Purpose, request.path_params, "Purpose")
        board, after = await self._queries.dashboard(
            keys["EventId"],
            purpose,
            leader_alias=query.get("LeaderAlias"),
            owner=query.get("Owner"),
            after=page.after,
            limit=page.limit,
        )
        return json_response({**board, "NextCursor": cursor_of(after)})

    async def orders(self, request: Request) -> Response:
        query = query_of(request, ("EventId", "FleetId", "Status", "Limit", "Cursor"))
        page = page_of(query)
        items, after = await self._queries.orders(
            event_id=query.get("EventId"),
            fleet_id=query.get("FleetId"),
            status=_one_of(FulfillmentStatus, query, "Status") if "Status" in query else None,
            after=page.after,
            limit=page.limit,
        )
        return page_response(items, after)


def _writes(made: Routes, does: _Writes) -> None:
    made.add(
        "POST",
        "/hotw/run",
        does.start_run,
        action="hotw.run.start",
        summary="Start a run of an event's fleets, or of some",
        body=StartRun,
    )
    made.add(
        "PUT",
        "/hotw/run/{RunId}/cancel",
        does.cancel_run,
        action="hotw.run.cancel",
        summary="Stop a run; what it ordered stays",
        conditional=False,
    )
    made.add(
        "POST",
        "/hotw/atomic/{FleetId}/{EventId}",
        does.execute_fleet,
        action="hotw.fleet.execute",
        summary="Run one fleet and answer its execution",
        body=ExecuteFleet,
    )
    made.add(
        "PUT",
        "/hotw/order/{FulfillmentId}",
        does.review_order,
        action="hotw.order.review",
        summary="Decide on an order",
        body=ReviewOrder,
        conditional=False,
    )
    made.add(
        "PUT",
        "/hotw/order/{FulfillmentId}/delivery",
        does.report_delivery,
        action="hotw.delivery.report",
        summary="Tell how many hosts of an order stand in total",
        body=ReportDelivery,
        conditional=False,
    )


def _reads(made: Routes, does: _Reads) -> None:
    made.add("GET", "/hotw/run/{RunId}", does.run, action="hotw.run.read", summary="Read a run and its progress")
    made.add(
        "GET",
        "/hotw/dashboard/{EventId}/{Purpose}",
        does.dashboard,
        action="hotw.run.read",
        summary="The HOTW dashboard, service by service",
        parameters=[
            Parameter("LeaderAlias", "Only services of this leader."),
            Parameter("Owner", "Only services of this owner."),
            *PAGING,
        ],
    )
    made.add(
        "GET",
        "/hotw/asgDetail/{FleetId}",
        does.asgs,
        action="hotw.run.read",
        summary="A fleet's ASGs as last seen",
        many=True,
    )
    made.add(
        "GET",
        "/hotw/asgDetail/{FleetId}/{RunId}",
        does.asgs_of_run,
        action="hotw.run.read",
        summary="As a run saw them",
        many=True,
    )
    made.add(
        "GET",
        "/hotw/executionDetail/{EventId}/{FleetId}",
        does.executions,
        action="hotw.run.read",
        summary="A fleet's executions for an event, newest first",
        many=True,
        parameters=PAGING,
    )
    made.add(
        "GET",
        "/hotw/order",
        does.orders,
        action="hotw.order.read",
        summary="List orders",
        many=True,
        parameters=[
            Parameter("EventId", "Only of this event."),
            Parameter("FleetId", "Only of this fleet."),
            Parameter("Status", "Only those in this status."),
            *PAGING,
        ],
    )


def _number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= MAX_COUNT:
        raise BadInput(
            f"the path has a bad {name}", [FieldError(f"/{name}", f"give a whole number from 1 to {MAX_COUNT}")]
        )
    return int(text)


def _one_of(kind: type[Purpose | FulfillmentStatus], given: Mapping[str, Any], name: str) -> str:
    known = [member.value for member in kind]
    if given[name] not in known:
        raise BadInput(
            f"{name} {given[name]!r} is unknown", [FieldError(f"/{name}", f"give one of {', '.join(known)}")]
        )
    return str(given[name])

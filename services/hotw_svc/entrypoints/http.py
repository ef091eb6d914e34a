"""HOTW's HTTP routes: what each takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from services.hotw_svc.adapters.queries.overrides import OverridePlace
from services.hotw_svc.adapters.queries.queries import Queries
from services.hotw_svc.app.ports import Commands, UseCase
from services.hotw_svc.domain.orders.override import OverrideStatus
from shared.clock import Clock
from shared.errors import BadInput, FieldError
from shared.schemas.base import MAX_COUNT, MAX_PAGE, Id, Name, PositiveCount, WireModel
from shared.schemas.hotw_external import (
    RecordDashboard,
    RecordedDashboard,
    RecordedExecution,
    RecordExecution,
    RecordRun,
    UpdateRecordedRun,
)
from shared.schemas.hotw_order_reviews import OrderReviewView, ReviewOrders, SkippedOrderView
from shared.schemas.hotw_preferences import (
    EventIndexView,
    FleetIndexView,
    PreferredAsgsView,
    ServiceIndexView,
    StorePreferredASGs,
)
from shared.schemas.hotw_svc import (
    CancelRun,
    ExecuteFleet,
    FulfillmentStatus,
    Purpose,
    ReportDelivery,
    ReviewOrder,
    RunStatus,
    StartRun,
)
from shared.schemas.hotw_views import (
    AsgView,
    ExecutionView,
    HotwDashboard,
    KnownFleets,
    KnownInputs,
    OrderView,
    OverrideView,
    RunView,
)
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Handler,
    Parameter,
    Routes,
    bad_cursor,
    checked_ids,
    cursor_of,
    json_response,
    operation_id_of,
    page_of,
    page_response,
    query_of,
    read_write,
    with_keys,
)

C = TypeVar("C", bound=WireModel)

_DASHBOARD: Final = (
    Parameter("LeaderAlias", "Only services of this leader.", of=Name),
    Parameter("Owner", "Only services of this owner.", of=Name),
    *PAGING,
)
_RUNS: Final = (
    Parameter("EventId", "Only of this event.", of=Id),
    Parameter("RunStatus", "Only those in this status.", of=RunStatus),
    *PAGING,
)
_ORDERS: Final = (
    Parameter("EventId", "Only of this event.", of=Id),
    Parameter("FleetId", "Only of this fleet.", of=Id),
    Parameter("Status", "Only those in this status.", of=FulfillmentStatus),
    *PAGING,
)


_OVERRIDES: Final = (
    Parameter("EventId", "Only of this event.", of=Id),
    Parameter("FleetId", "Only of this fleet.", of=Id),
    Parameter("OverrideStatus", "Only those in this status.", of=OverrideStatus),
    *PAGING,
)


def routes(commands: Commands, queries: Queries, clock: Clock) -> Routes:
    """Every route of HOTW but the kit's."""
    types = {"RunId": PositiveCount, "FulfillmentId": Name, "ReviewId": PositiveCount, "Purpose": Purpose}
    made = Routes("HOTW", "The hosts that an event's fleets need, ordered, decided on and delivered.", path_types=types)
    reads = _Reads(queries, clock)

    def write(
        method: str,
        path: str,
        action: str,
        model: type[C],
        use_case: UseCase[C],
        summary: str,
        *,
        response: type[WireModel],
    ) -> None:
        async def handle(request: Request) -> Response:
            body, cause = read_write(request, clock, conditional=False)
            command = validated(model, _body_of(request, body))
            return json_response((await use_case(command, cause)).body)

        made.add(
            method,
            path,
            handle,
            action=action,
            operation_id=operation_id_of(model),
            summary=summary,
            body=model,
            response=response,
            conditional=False,
        )

    def read(path: str, handler: Handler, name: str, action: str, summary: str, **answer: Any) -> None:
        made.add("GET", path, handler, action=action, operation_id=name, summary=summary, **answer)

    path, what = "/hotw/run", "Start a run of an event's fleets, or of some"
    write("POST", path, "hotw.run.start", StartRun, commands.start_run, what, response=RunView)
    path, what = "/hotw/run/{RunId}/cancel", "Stop a run; what it ordered stays"
    write("PUT", path, "hotw.run.cancel", CancelRun, commands.cancel_run, what, response=RunView)
    path, what = "/hotw/atomic/{FleetId}/{EventId}", "Run one fleet and answer its execution"
    write("POST", path, "hotw.fleet.execute", ExecuteFleet, commands.execute_fleet, what, response=ExecutionView)
    path, what = "/hotw/order/{FulfillmentId}", "Decide on an order"
    write("PUT", path, "hotw.order.review", ReviewOrder, commands.review_order, what, response=OrderView)
    path, what = "/hotw/order/review", "Decide on many orders at once, named or found by a filter"
    review = commands.review_orders
    write("POST", path, "hotw.order.review", ReviewOrders, review, what, response=OrderReviewView)
    path, what = "/hotw/order/{FulfillmentId}/delivery", "Report how many hosts of an order are delivered in total"
    write("PUT", path, "hotw.delivery.report", ReportDelivery, commands.report_delivery, what, response=OrderView)

    path, what = "/hotw/asgsPreference/{EventId}/{FleetId}", "Store which ASGs take a fleet's hosts for an event"
    store, prefer = commands.store_preferred_asgs, "hotw.preference.store"
    write("PUT", path, prefer, StorePreferredASGs, store, what, response=PreferredAsgsView)

    path, what, may = "/hotw/runDetail", "Record an outside engine's run, or (with RunId) update it", "hotw.run.record"
    write("POST", path, may, RecordRun, commands.record_run, what, response=RunView)
    what = "Update an outside engine's run"
    write("PUT", path, may, UpdateRecordedRun, commands.record_run, what, response=RunView)
    path, what, may = "/hotw/executionDetail", "Record an outside engine's execution", "hotw.execution.record"
    write("POST", path, may, RecordExecution, commands.record_execution, what, response=RecordedExecution)
    path, what, may = "/hotw/dashboardDetail", "Record an outside engine's sum of a fleet", "hotw.dashboard.record"
    write("POST", path, may, RecordDashboard, commands.record_dashboard, what, response=RecordedDashboard)

    run, order, known = "hotw.run.read", "hotw.order.read", "hotw.input.read"
    runs: dict[str, Any] = {"response": RunView, "many": True, "parameters": _RUNS}
    read("/hotw/run", reads.runs, "listRuns", run, "List runs, newest first", **runs)
    read("/hotw/run/{RunId}", reads.run, "getRun", run, "Read a run and its progress", response=RunView)
    path, what = "/hotw/dashboard/{EventId}/{Purpose}", "The HOTW dashboard, service by service"
    read(path, reads.dashboard, "showHotwDashboard", run, what, response=HotwDashboard, parameters=_DASHBOARD)
    asgs: dict[str, Any] = {"response": AsgView, "many": True}
    read("/hotw/asgDetail/{FleetId}", reads.asgs, "listAsgs", run, "A fleet's ASGs as last seen", **asgs)
    read("/hotw/asgDetail/{FleetId}/{RunId}", reads.asgs, "listAsgsOfRun", run, "As a run saw them", **asgs)
    path, what = "/hotw/executionDetail/{EventId}/{FleetId}", "A fleet's executions for an event, newest first"
    executions: dict[str, Any] = {"response": ExecutionView, "many": True, "parameters": PAGING}
    read(path, reads.executions, "listExecutions", run, what, **executions)
    orders: dict[str, Any] = {"response": OrderView, "many": True, "parameters": _ORDERS}
    read("/hotw/order", reads.orders, "listOrders", order, "List orders", **orders)
    overrides: dict[str, Any] = {"response": OverrideView, "many": True, "parameters": _OVERRIDES}
    read("/hotw/override", reads.overrides, "listOverrides", order, "List overrides", **overrides)
    path, what = "/hotw/order/review/{ReviewId}", "Read a review of many orders and its progress"
    read(path, reads.order_review, "getOrderReview", order, what, response=OrderReviewView)
    skipped: dict[str, Any] = {"response": SkippedOrderView, "many": True, "parameters": PAGING}
    path, what = f"{path}/skipped", "The orders that a review left as they were, and why"
    read(path, reads.skipped_orders, "listSkippedOrders", order, what, **skipped)
    what = "How many fleets, projections, inventories HOTW knows"
    read("/hotw/inputs/{EventId}", reads.known_fleets, "countKnownFleets", known, what, response=KnownFleets)
    what = "Which version of each input HOTW knows"
    read("/hotw/inputs/{EventId}/{FleetId}", reads.known_inputs, "getKnownInputs", known, what, response=KnownInputs)
    path, what = "/hotw/asgsPreference/{EventId}/{FleetId}", "A fleet's preferred ASGs for an event"
    read(path, reads.preferred_asgs, "getPreferredASGs", "hotw.preference.read", what, response=PreferredAsgsView)
    for kind, view in (("Fleet", FleetIndexView), ("Service", ServiceIndexView), ("Event", EventIndexView)):
        path, what = f"/hotw/index/{kind.lower()}/{{{kind}Id}}", f"The number that stands for the {kind.lower()}"
        read(path, reads.index, f"get{kind}Index", "hotw.index.read", what, response=view)
    return made


class _Reads:
    def __init__(self, queries: Queries, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock

    async def run(self, request: Request) -> Response:
        query_of(request)
        return json_response((await self._queries.run(_number(request, "RunId"), self._clock.now())).body)

    async def runs(self, request: Request) -> Response:
        query = query_of(request, _RUNS)
        page = page_of(query, int)
        found = await self._queries.runs(
            event_id=query.get("EventId"),
            status=query.get("RunStatus"),
            before=page.after,
            limit=page.limit,
            now=self._clock.now(),
        )
        return page_response(found.items, found.next_after)

    async def executions(self, request: Request) -> Response:
        keys = checked_ids(request.path_params)
        page = page_of(query_of(request, PAGING), int)
        found = await self._queries.executions(keys["EventId"], keys["FleetId"], before=page.after, limit=page.limit)
        return page_response(found.items, found.next_after)

    async def asgs(self, request: Request) -> Response:
        query_of(request)
        keys = checked_ids({"FleetId": request.path_params["FleetId"]})
        run_id = _number(request, "RunId") if "RunId" in request.path_params else None
        return page_response((await self._queries.asgs(keys["FleetId"], run_id)).items, None)

    async def dashboard(self, request: Request) -> Response:
        query = query_of(request, _DASHBOARD)
        page = page_of(query, limit=MAX_PAGE)
        event_id = checked_ids({"EventId": request.path_params["EventId"]})["EventId"]
        purpose = _purpose(request.path_params["Purpose"])
        found = await self._queries.dashboard(
            event_id,
            purpose,
            leader_alias=query.get("LeaderAlias"),
            owner=query.get("Owner"),
            after=page.after,
            limit=page.limit,
        )
        board = {"EventId": event_id, "Purpose": purpose, "Services": found.items}
        return json_response({**board, "NextCursor": cursor_of(found.next_after)})

    async def orders(self, request: Request) -> Response:
        query = query_of(request, _ORDERS)
        page = page_of(query)
        found = await self._queries.orders(
            event_id=query.get("EventId"),
            fleet_id=query.get("FleetId"),
            status=query.get("Status"),
            after=page.after,
            limit=page.limit,
        )
        return page_response(found.items, found.next_after)

    async def overrides(self, request: Request) -> Response:
        query = query_of(request, _OVERRIDES)
        page = page_of(query, list)
        found = await self._queries.overrides(
            event_id=query.get("EventId"),
            fleet_id=query.get("FleetId"),
            status=query.get("OverrideStatus"),
            after=None if page.after is None else _place(page.after),
            limit=page.limit,
        )
        return page_response(found.items, found.next_after)

    async def order_review(self, request: Request) -> Response:
        query_of(request)
        return json_response((await self._queries.order_review(_number(request, "ReviewId"))).body)

    async def skipped_orders(self, request: Request) -> Response:
        page = page_of(query_of(request, PAGING))
        found = await self._queries.skipped_orders(_number(request, "ReviewId"), after=page.after, limit=page.limit)
        return page_response(found.items, found.next_after)

    async def known_fleets(self, request: Request) -> Response:
        query_of(request)
        return json_response(await self._queries.known_fleets(checked_ids(request.path_params)["EventId"]))

    async def known_inputs(self, request: Request) -> Response:
        query_of(request)
        keys = checked_ids(request.path_params)
        return json_response(await self._queries.known_inputs(keys["EventId"], keys["FleetId"]))

    async def preferred_asgs(self, request: Request) -> Response:
        query_of(request)
        keys = checked_ids(request.path_params)
        return json_response(await self._queries.preferred_asgs(keys["EventId"], keys["FleetId"]))

    async def index(self, request: Request) -> Response:
        query_of(request)
        ((member, value),) = checked_ids(request.path_params).items()
        return json_response(await self._queries.index(member, value))


def _body_of(request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with the path's keys. Its RunId may be a number or a string of digits."""
    keys = request.path_params
    if "RunId" not in keys:
        return with_keys(body, checked_ids(keys) if "FleetId" in keys else keys)
    run_id = _number(request, "RunId")
    if str(body.get("RunId", run_id)) != str(run_id):
        raise BadInput("the body's key is not the path's", [FieldError("/RunId", "correct it or leave it out")])
    return {**body, "RunId": run_id}


def _number(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= MAX_COUNT:
        error = FieldError(f"/{name}", f"give a whole number from 1 to {MAX_COUNT}")
        raise BadInput(f"the path has a bad {name}", [error])
    return int(text)


def _place(after: list[Any]) -> OverridePlace:
    """The place in the list of overrides that a cursor holds."""
    if len(after) != 4 or not isinstance(after[3], str):
        raise bad_cursor()
    if not all(type(number) is int and 0 < number <= MAX_COUNT for number in after[:3]):
        raise bad_cursor()
    event, run, fleet, asg = after
    return event, run, fleet, asg


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        error = FieldError("/Purpose", f"give one of {', '.join(Purpose)}")
        raise BadInput(f"Purpose {text!r} is unknown", [error]) from None

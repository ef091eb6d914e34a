"""What the use cases need of a store: one transaction, and its reads and writes by area."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.app.external.rows import RecordedRows
from services.hotw_svc.app.orders.order_review import BookToReview, NewOrderReview, OrderReview, StoredOrder
from services.hotw_svc.app.providers.rows import ProviderGroupRows
from services.hotw_svc.app.runs.run import NewRun, Run
from services.hotw_svc.domain.inputs import EventFacts, Inputs, PreferredAsgs, RunFacts
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import BookFact, OrderBook, OrderBookChange, OrderBookKey
from services.hotw_svc.domain.orders.review import SkippedOrder
from services.hotw_svc.domain.runs.execution import Execution
from services.hotw_svc.domain.runs.scope import Scope
from shared.cause import Cause
from shared.durability.read_model import Snapshot
from shared.relational import Database, UnitOfWork
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_external import RecordDashboard, RecordExecution, RecordRun
from shared.schemas.hotw_order_reviews import OrderFilter, ReviewOrders
from shared.schemas.hotw_preferences import StorePreferredASGs
from shared.schemas.hotw_svc import (
    CancelRun,
    ExecuteFleet,
    OrderType,
    ReportDelivery,
    ReviewOrder,
    RunStatus,
    ServiceOrders,
    StartRun,
)
from shared.schemas.results import Accepted

C = TypeVar("C")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """A resource as HTTP answers with it: its members by their wire names, and which of them is its id."""

    id_member: str
    body: dict[str, Any]

    @property
    def accepted(self) -> Accepted:
        """What a command is answered with."""
        return Accepted(str(self.body[self.id_member]))


@dataclass(frozen=True, slots=True)
class ClaimedFleet:
    """A fleet a worker has locked: the lock's fencing number, and its order book's revision at that moment."""

    fleet_index_id: int
    fleet_id: str
    fence: int
    revision: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker took of a run's fleets.

    ``refused`` are the fleets that another run kept locked for a whole lease, with that run. ``blocked`` counts the
    fleets that are still locked by another or claimed by another worker.
    """

    fleets: tuple[ClaimedFleet, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    blocked: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.fleets and not self.refused


@dataclass(frozen=True, slots=True)
class LoadedInputs:
    """One fleet's inputs. ``gone``: the fleet was deleted since; ``fault``: why its inputs could not be read."""

    fleet_id: str
    inputs: Inputs
    gone: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedExecution:
    """A stored execution that counts, its order book after it, and the fact about the gap that it changed."""

    execution: Execution
    book: OrderBook
    gap_facts: tuple[BookFact, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkedGaps:
    """The gaps that some marks concern: the order books to check, and the marks that are done once they were.

    Marks that are neither in ``done`` nor in ``wide`` wait for a run. ``wide`` concern a whole service or event.
    ``last`` is the last mark's number; None: there are no more.
    """

    keys: tuple[OrderBookKey, ...] = ()
    done: tuple[int, ...] = ()
    wide: tuple[int, ...] = ()
    last: int | None = None


class InputKind(StrEnum):
    """The resources of other services that HOTW has a read model of."""

    EVENT = "event"
    SERVICE = "service"
    PHILOSOPHY = "philosophy"
    FLEET = "fleet"
    EXCEPTION = "exception"
    PROJECTION = "projection"
    INVENTORY = "inventory"
    BAU_TRAFFIC = "bau_traffic"
    PLAN = "plan"
    CUSTOM_INPUT = "custom_input"
    CUSTOM_FORMULA = "custom_formula"
    APPROVAL_RULE = "approval_rule"


class RunRows(Protocol):
    async def start(self, new: NewRun, event: EventFacts, scope: Scope) -> Run:
        """A running run of the fleets in scope, which are fixed."""

    async def get(self, run_id: int, *, lock: bool = False, counted: bool = True) -> Run | None:
        """The run. ``lock``: nobody else changes it until the transaction ends; ``counted``: with its progress."""

    async def record(self, new: NewRun) -> Run:
        """A running run of an outside engine; EPIC's workers leave it alone, and it has no fleets of its own."""

    async def change_order_type(self, run: Run, order_type: OrderType) -> Run: ...

    async def add_recorded(self, run_id: int) -> None:
        """Counts one more execution of an outside engine's run among its fleets."""

    async def end(self, run: Run, status: RunStatus, now: datetime) -> Run:
        """The run, which was read with its progress, ended; fleets still open get no execution any more."""

    async def running(self) -> list[int]:
        """The runs that EPIC's own engine has to work on, oldest first."""

    async def is_running(self, event_id: str) -> bool:
        """Whether a run of the event, a dry run apart, is Running."""

    async def has_open_fleets(self, run_id: int) -> bool:
        """Whether a fleet of the run has no execution yet."""

    async def orders_by_service(self, run_id: int) -> list[ServiceOrders]:
        """What the run ordered for each service."""


class SlotRows(Protocol):
    """The slots of the schedule, each taken once for an event."""

    async def events_without(self, slot: datetime) -> list[EventFacts]:
        """The events, neither unknown nor deleted, that nobody has taken the slot for."""

    async def take(self, event_id: str, slot: datetime) -> bool:
        """Takes the slot for the event; False where it was taken before."""

    async def started(self, event_id: str, slot: datetime, run_id: int) -> None:
        """The slot, taken in this transaction, has started the run."""


class ClaimRows(Protocol):
    """Which worker works on which fleets of a run. A dry run claims fleets without their locks (7.16.1)."""

    async def claim(self, run: Run, holder: str, limit: int, lease: float) -> Claim:
        """Takes open fleets of the run that nobody has, and their locks, for ``lease`` seconds."""

    async def still_held(self, run: Run, holder: str, fleets: Sequence[ClaimedFleet]) -> dict[str, int]:
        """Locks the run and the fleets; by fleet whose lease and fence still hold, its order book's revision.

        Empty, and the locks released, when the run is no longer running. Of a dry run a fleet is held while it has no
        execution.
        """

    async def release(self, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
        """Ends the fleets' part in the run, and the locks that ``holder`` has."""


class ExecutionRows(Protocol):
    async def write(self, run: Run, executions: Sequence[Execution]) -> list[PlacedExecution]:
        """Stores executions of one run and all that follows from them (HOTW rule 7); those that count come back.

        Nothing follows from those of a dry run.
        """

    async def get(self, run_id: int, fleet_id: str) -> View | None:
        """The execution of a fleet; None while there is none."""


class OrderBookRows(Protocol):
    async def get(self, keys: Sequence[OrderBookKey]) -> list[OrderBook]:
        """Order books of one event and purpose. Their fleets' rows are locked, in order."""

    async def of_order(self, fulfillment_id: str) -> OrderBook | None:
        """The book that holds the order, its fleet's row locked."""

    async def unsettled(self, now: datetime, limit: int) -> list[OrderBookKey]:
        """Books of one event and purpose that time, or a newer version of their event, has overtaken."""

    async def write(self, changes: Sequence[OrderBookChange]) -> None:
        """Stores changes of books that were read in this transaction."""

    def view(self, order: Order) -> View:
        """The order as it is read."""


class OrderReviewRows(Protocol):
    """Reviews of many orders. NotFound for an unknown review."""

    async def find(self, fulfillment_ids: Sequence[str]) -> list[StoredOrder]:
        """Those of the orders that there are."""

    async def matching(self, where: OrderFilter, *, limit: int) -> list[StoredOrder]: ...
    async def count(self, where: OrderFilter) -> int: ...
    async def start(self, new: NewOrderReview, orders: Sequence[StoredOrder], unknown: Sequence[SkippedOrder]) -> int:
        """Stores a review, its orders at the numbers they were seen at; its ReviewId."""

    async def get(self, review_id: int) -> OrderReview: ...
    async def running(self) -> list[int]:
        """The reviews with orders left, oldest first."""

    async def take(self, review_id: int, limit: int) -> list[BookToReview]:
        """Takes books of one event and purpose off the review; what other workers have taken is left out."""

    async def progress(self, review_id: int, decided: int, skipped: Sequence[SkippedOrder]) -> None: ...
    async def skipped(self, review_id: int, *, after: str = "", limit: int) -> list[SkippedOrder]:
        """By FulfillmentId."""

    async def complete(self, review_id: int, now: datetime) -> None:
        """Completes the review, once no orders are left."""


class GapMarkRows(Protocol):
    """Which gaps are to be checked again, because an input changed."""

    async def marked(self, after: int, limit: int) -> MarkedGaps:
        """What the marks with a greater number concern, at most ``limit`` of them."""

    async def spread(self, wide: Sequence[int]) -> None:
        """Puts a mark of each fleet in the place of marks that concern a whole service or event."""

    async def remove(self, mark_ids: Sequence[int]) -> None: ...


class InputRows(Protocol):
    """What other services own."""

    async def put(self, kind: InputKind, snapshots: Sequence[Snapshot]) -> set[str]:
        """Stores what is newer than what is stored; the services and fleets whose part in events may have changed.

        The order books of these are due from now on, and executions of their fleets that are under way begin again.
        """

    async def event(self, event_id: str, *, deleted_too: bool = False) -> EventFacts | None:
        """The event, None when it is not known. ``deleted_too``: a deleted one as well, which is then not active."""

    async def unknown_fleets(self, fleet_ids: Sequence[str]) -> list[str]: ...
    async def service_types(self, service_ids: Sequence[str]) -> dict[str, ServiceType]:
        """By service that is known and not deleted, its type."""

    async def load(self, run: RunFacts, fleet_ids: Sequence[str], event: EventFacts) -> list[LoadedInputs]:
        """The inputs of each fleet, in the order given."""


class PreferenceRows(Protocol):
    async def put(self, event_id: str, fleet_id: str, preferred: PreferredAsgs | None) -> dict[str, Any]:
        """Stores a fleet's preferred ASGs for an event, or (None) removes them; what is stored, as it is read.

        The same names again change nothing. Both ids are known.
        """


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction of the store. ``writing`` is None where it only reads."""

    runs: RunRows
    claims: ClaimRows
    executions: ExecutionRows
    order_books: OrderBookRows
    order_reviews: OrderReviewRows
    inputs: InputRows
    writing: UnitOfWork | None
    preferences: PreferenceRows
    slots: SlotRows
    recorded: RecordedRows
    provider_groups: ProviderGroupRows
    gap_marks: GapMarkRows

    @property
    def work(self) -> UnitOfWork:
        """Its messages and idempotency records. RuntimeError in a transaction that only reads."""
        if self.writing is None:
            raise RuntimeError("this transaction only reads")
        return self.writing


@dataclass(frozen=True, slots=True)
class Store:
    """HOTW's store. A function given to it may run more than once: it has no effect outside its transaction."""

    database: Database
    unit: Callable[[AsyncConnection, UnitOfWork | None], Unit]

    async def write(self, fn: Callable[[Unit], Awaitable[T]]) -> T:
        return await self.database.write(lambda work: fn(self.unit(work.connection, work)))

    async def read(self, fn: Callable[[Unit], Awaitable[T]]) -> T:
        async with self.database.read() as connection:
            return await fn(self.unit(connection, None))

    async def run_once(self, cause: Cause, id_member: str, fn: Callable[[Unit], Awaitable[View]]) -> View:
        """Writes under the cause's id: the same cause again gets the same view, or the same refusal, again."""

        async def body(work: UnitOfWork) -> dict[str, Any]:
            return (await fn(self.unit(work.connection, work))).body

        return View(id_member, await self.database.run_once(cause, body))


UseCase = Callable[[C, Cause], Awaitable[View]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The use cases that HTTP and the command topic both call, with their stores bound."""

    start_run: UseCase[StartRun]
    cancel_run: UseCase[CancelRun]
    execute_fleet: UseCase[ExecuteFleet]
    review_order: UseCase[ReviewOrder]
    review_orders: UseCase[ReviewOrders]
    report_delivery: UseCase[ReportDelivery]
    store_preferred_asgs: UseCase[StorePreferredASGs]
    record_run: UseCase[RecordRun]
    record_execution: UseCase[RecordExecution]
    record_dashboard: UseCase[RecordDashboard]

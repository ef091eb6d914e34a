"""Owns what the use cases need of a store: one transaction's reads and writes, and the transactions themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from services.hotw_svc.app.orders.books import Book, BookKey, Entry
from services.hotw_svc.app.runs.run import Run, ServiceShare
from services.hotw_svc.domain.inputs import EventFacts, Inputs
from services.hotw_svc.domain.orders.order import Order, OrderType
from services.hotw_svc.domain.runs.execution import Execution
from services.hotw_svc.domain.runs.scope import RunStatus
from shared.cause import Cause
from shared.envelope import Message
from shared.errors import Refused
from shared.relational import IdempotencyRecord
from shared.trace import Trace

__all__ = ["Claim", "Claimed", "Loaded", "Placed", "Snapshot", "Store", "Unit"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One resource as its owner published it: its id, version, fields, and whether it is a tombstone."""

    key: str
    version: int
    body: Mapping[str, Any]
    text: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """A fleet a worker has locked: its lock's fence, and the revision of its books when it was locked."""

    fleet_index_id: int
    fleet_id: str
    fence: int
    revision: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker took of a run. ``refused`` are fleets whose lock another kept for a whole lease, and who."""

    fleets: tuple[Claimed, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    blocked: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.fleets and not self.refused


@dataclass(frozen=True, slots=True)
class Loaded:
    """One fleet's inputs as read; ``gone``: it was deleted since; ``fault``: why they could not be read."""

    fleet_id: str
    inputs: Inputs
    gone: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A written execution that counts: its columns with the ExecutionId, and its book after it.

    ``orders`` are all of the fleet for the event and purpose; ``orders_version_id`` is the last fact's number.
    """

    execution: Execution
    columns: Mapping[str, Any]
    orders: tuple[Order, ...]
    orders_version_id: int


class Unit(Protocol):
    """One transaction of the store."""

    async def emit(self, messages: Sequence[Message]) -> None: ...
    async def record_of(self, cause: Cause) -> IdempotencyRecord | None: ...
    async def answer(self, cause: Cause, answer: IdempotencyRecord) -> None: ...
    async def finish_record(self, cause: Cause, answer: IdempotencyRecord) -> None: ...

    # -- what others own
    async def keep(self, resource: str, snapshots: Sequence[Snapshot]) -> set[str]:
        """Keeps the newest of each; the keys of those that were newer than what was there."""

    async def event(self, event_id: str, *, deleted_too: bool = False) -> EventFacts | None:
        """The event; None when it is not known. A deleted one only if asked for, and then not active."""

    async def unknown_fleets(self, fleet_ids: Sequence[str]) -> list[str]: ...

    # -- runs
    async def open_run(
        self, *, event_id: str, order_type: OrderType, purpose: str, user: str, now: datetime, trace: Trace
    ) -> int: ...
    async def take_event_fleets(self, run_id: int, event: EventFacts) -> int:
        """Fixes the run's fleets: every one that belongs to the event. How many."""

    async def take_fleets(self, run_id: int, fleet_ids: Collection[str]) -> int:
        """Fixes the run's fleets: those named. How many."""

    async def run(self, run_id: int, *, lock: bool = False, counted: bool = True) -> Run | None:
        """The run; with ``lock`` nobody else changes it until the transaction ends, ``counted`` with its progress."""

    async def end_run(self, run: Run, status: RunStatus, now: datetime) -> Run: ...
    async def has_open_fleets(self, run_id: int) -> bool: ...
    async def shares(self, run_id: int) -> list[ServiceShare]: ...
    async def execution_of(self, run_id: int, fleet_id: str) -> dict[str, Any] | None:
        """The execution as it is read; None while there is none."""

    # -- a chunk of a run
    async def claim(self, run: Run, holder: str, limit: int, lease: float) -> Claim: ...
    async def load(self, run: Run, fleet_ids: Sequence[str], event: EventFacts) -> list[Loaded]: ...
    async def still_held(self, run: Run, holder: str, fleets: Sequence[Claimed]) -> dict[str, int]:
        """Locks the run and the fleets' rows; by fleet whose lease and fence still hold, the revision of its books.

        None, and the locks given back, when the run is no longer running.
        """

    async def write_executions(self, run: Run, worked_out: Sequence[Execution]) -> list[Placed]: ...
    async def release(self, run: Run, holder: str | None, fleet_ids: Sequence[str]) -> None:
        """Ends the fleets' part in the run, and the locks ``holder`` has."""

    # -- books
    async def book_of_order(self, fulfillment_id: str) -> Book | None:
        """The book an order stands in, its fleet's row locked."""

    async def books(self, keys: Sequence[BookKey]) -> list[Book]:
        """Several books of one event and purpose, their fleets' rows locked in order."""

    async def write_entries(self, entries: Sequence[Entry]) -> None: ...


class Store(Protocol):
    """HOTW's store. A function given to it may run more than once: it has no effect outside its transaction."""

    async def write(self, fn: Callable[[Unit], Awaitable[T]]) -> T: ...
    async def read(self, fn: Callable[[Unit], Awaitable[T]]) -> T: ...
    async def run_once(
        self, cause: Cause, fn: Callable[[Unit], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]: ...
    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None: ...
    async def running(self) -> list[int]:
        """The runs EPIC's own engine has to work on."""

    async def unsettled(self, now: datetime, limit: int) -> list[BookKey]:
        """Books that time, or a newer version of their event, has overtaken; of one event and purpose."""

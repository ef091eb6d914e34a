"""What the use cases of an outside engine need of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.hotw_svc.domain.external.recorded_execution import ExecutionNumbers, Recording
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.orders.order_book import OrderBookKey
from shared.schemas.hotw_external import RecordDashboard, RecordExecution
from shared.schemas.hotw_svc import ExecutionFact, OrderType, Purpose


@dataclass(frozen=True, slots=True)
class FoundExecution:
    """A recorded execution as it was answered with, and the digest of the body that recorded it."""

    answer: Mapping[str, Any]
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An execution to record: the body, and what EPIC adds to it."""

    command: RecordExecution
    numbers: ExecutionNumbers
    purpose: Purpose
    order_type: OrderType
    user: str
    created_at: datetime
    digest: str


class RecordedRows(Protocol):
    """What an outside engine's results make of the tables, in one transaction."""

    async def lock(self, fleet_id: str) -> None:
        """Locks the fleet's row until the transaction ends, so that nobody else changes its order books."""

    async def service_of(self, fleet_id: str) -> str | None:
        """The fleet's ServiceId; None for a fleet that is not known, or deleted."""

    async def fleet(self, fleet_id: str, event_id: str) -> FleetFacts:
        """A known fleet as it is for an event."""

    async def execution(self, run_id: int, fleet_id: str) -> FoundExecution | None:
        """The execution of a run and fleet; None while there is none."""

    async def orders_elsewhere(self, fulfillment_ids: Sequence[str], key: OrderBookKey) -> dict[str, str]:
        """By id, whose the orders are that are not the key's."""

    async def open_book(self, key: OrderBookKey, event: EventFacts, fleet: FleetFacts) -> None:
        """Makes the fleet's order book where it has none yet."""

    async def add_execution(self, new: NewExecution, fleet: FleetFacts) -> ExecutionFact: ...

    async def add_details(self, command: RecordExecution, fleet: FleetFacts, made: Recording) -> None:
        """Stores the new orders and overrides, and the ASGs as the body shows them."""

    async def put_dashboard(self, command: RecordDashboard, fleet: FleetFacts, *, by: str, at: datetime) -> None:
        """Stores ReportedSum in the place of an earlier one, and the ASGs as the body shows them."""

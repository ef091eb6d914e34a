"""The newest facts about one fleet and event: its projection, and its hardware.

They are kept also for plans that do not exist yet. ``version`` orders the facts of one kind; ``at`` is the instant
since when a fact holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from shared.clock import iso
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.hotw_svc import ExecutionFact, ExecutionStatus, FulfillmentStatus, HardwareFact, OrderFact

_LOST: Final = frozenset({FulfillmentStatus.REJECTED, FulfillmentStatus.CANCELLED, FulfillmentStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class Projection:
    """What plans need of a projection. ``unverified``: who has yet to verify it, in words."""

    version: int
    at: str
    deleted: bool
    peak_tpm: int | None
    unverified: tuple[str, ...]

    @classmethod
    def of(cls, snapshot: ProjectionSnapshot) -> Self:
        changed_at = snapshot.audit_metadata.timestamp
        owner = () if snapshot.is_verified_by_owner else ("the owner",)
        upstreams = snapshot.upstream_projections or ()
        return cls(
            version=snapshot.version_id,
            at=iso(changed_at) if changed_at else "",
            deleted=snapshot.deleted,
            peak_tpm=snapshot.peak_tpm,
            unverified=(*owner, *(one.upstream_service_id for one in upstreams if not one.is_verified)),
        )


@dataclass(frozen=True, slots=True)
class Execution:
    """The fleet's latest execution that counts."""

    status: ExecutionStatus
    reasoning: str
    needed: int | None = None
    required_hosts: int | None = None
    capacity_override_sum: int = 0
    ordered_hosts: int = 0
    shortfall: int = 0
    cap_reason: str | None = None

    @classmethod
    def of(cls, fact: ExecutionFact) -> Self:
        return cls(
            status=fact.status,
            reasoning=fact.reasoning,
            needed=fact.needed,
            required_hosts=fact.required_hosts,
            capacity_override_sum=fact.capacity_override_sum or 0,
            ordered_hosts=fact.ordered_hosts,
            shortfall=fact.shortfall,
            cap_reason=fact.cap_reason,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the fleet for the event. ``fulfillment_date`` is the day it is due."""

    fulfillment_id: str
    execution_id: int
    fulfillment_status: FulfillmentStatus
    fulfillment_value: int
    fulfilled_hosts: int
    fulfillment_date: str
    ever_approved: bool = False
    superseded: bool = False
    reason: str | None = None

    @classmethod
    def of(cls, fact: OrderFact) -> Self:
        return cls(
            fulfillment_id=fact.fulfillment_id,
            execution_id=fact.execution_id,
            fulfillment_status=fact.fulfillment_status,
            fulfillment_value=fact.fulfillment_value,
            fulfilled_hosts=fact.fulfilled_hosts,
            fulfillment_date=fact.fulfillment_date.isoformat(),
            ever_approved=fact.ever_approved,
            superseded=fact.superseded,
            reason=fact.reason,
        )

    @property
    def is_live(self) -> bool:
        return self.fulfillment_status not in _LOST

    @property
    def is_open(self) -> bool:
        return self.is_live and self.fulfillment_status is not FulfillmentStatus.FULFILLED

    @property
    def is_lost(self) -> bool:
        """Whether its hosts are neither coming nor ordered anew."""
        return not self.is_live and not self.superseded

    @property
    def is_approved(self) -> bool:
        status = self.fulfillment_status
        if status is FulfillmentStatus.DELAYED:
            return self.ever_approved
        return status in (FulfillmentStatus.APPROVED, FulfillmentStatus.FULFILLED)


@dataclass(frozen=True, slots=True)
class Hardware:
    """The state of the fleet's hardware for the event, which every ``hotw.*`` fact about the fleet carries whole."""

    version: int
    at: str
    execution: Execution | None
    orders: tuple[Order, ...] = ()
    gap: int = 0

    @classmethod
    def of(cls, fact: HardwareFact) -> Self:
        orders = tuple(Order.of(order) for order in fact.orders)
        execution = None if fact.execution is None else Execution.of(fact.execution)
        return cls(fact.orders_version_id, iso(fact.occurred_at), execution, orders, fact.gap)


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest fact of each kind; None where there was none yet."""

    projection: Projection | None = None
    hardware: Hardware | None = None

    @property
    def peak_tpm(self) -> int | None:
        """None without a projection."""
        return None if self.projection is None or self.projection.deleted else self.projection.peak_tpm


NO_FACTS: Final = Facts()

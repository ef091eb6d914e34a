"""The newest facts about one fleet and event: its projection, hardware and throttling, and who is downstream of it.

They are kept also for plans that do not exist yet. ``version`` orders the facts of one kind; ``at`` is the instant
since when a fact holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from shared.clock import iso
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.throttling import ThrottlingApplied, ThrottlingSnapshot
from shared.schemas.fleet_svc.traffic import BAUChanged
from shared.schemas.hotw_svc import ExecutionFact, ExecutionStatus, FulfillmentStatus, HardwareFact, OrderFact

_LOST: Final = frozenset({FulfillmentStatus.REJECTED, FulfillmentStatus.CANCELLED, FulfillmentStatus.EXPIRED})

_MOST_REPORTS: Final = 1 << 20
"""More than anybody reports of one version of a throttling; with the version it stays a number of 64 bits."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What plans need of a projection.

    ``unverified``: who has yet to verify it, in words. ``upstreams``: the services that it names.
    """

    version: int
    at: str
    deleted: bool
    peak_tpm: int | None
    unverified: tuple[str, ...]
    upstreams: tuple[str, ...] = ()

    @property
    def present_tpm(self) -> int | None:
        """The PeakTPM; None once the projection is deleted."""
        return None if self.deleted else self.peak_tpm

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
            upstreams=tuple(sorted({one.upstream_service_id for one in upstreams})),
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
    bau_tpm: int | None = None

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
            bau_tpm=fact.bau_tpm,
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
class Limits:
    """What plans need of a throttling: its newest version."""

    version: int
    at: str
    deleted: bool

    @classmethod
    def of(cls, snapshot: ThrottlingSnapshot) -> Self:
        changed_at = snapshot.audit_metadata.timestamp
        return cls(snapshot.version_id, iso(changed_at) if changed_at else "", snapshot.deleted)


@dataclass(frozen=True, slots=True)
class AppliedLimits:
    """The newest report that the latest version of a throttling is applied, and the PeakTPM of that moment."""

    version: int
    at: str
    applied_version: int
    peak_tpm: int | None

    @classmethod
    def of(cls, fact: ThrottlingApplied) -> Self:
        """Reports are ordered by the version that they are about, those of one version by their number."""
        version = fact.applied_version_id * _MOST_REPORTS + min(fact.report_number, _MOST_REPORTS - 1)
        return cls(version, iso(fact.reported_at), fact.applied_version_id, fact.peak_tpm)


@dataclass(frozen=True, slots=True)
class BAUTraffic:
    """Whether the traffic of a fleet outside events is known, for all its plans."""

    version: int
    at: str
    known: bool

    @classmethod
    def of(cls, fact: BAUChanged) -> Self:
        changed_at = fact.audit_metadata.timestamp
        return cls(fact.version_id, iso(changed_at) if changed_at else "", fact.bau_tpm is not None)


@dataclass(frozen=True, slots=True)
class TPMMail:
    """What became of the mail with a PeakTPM to one downstream service: it was sent, or it has failed."""

    service_id: str
    sent: bool
    at: str


@dataclass(frozen=True, slots=True)
class Downstream:
    """A service that is downstream since an instant, and what became of the mail with the present PeakTPM.

    ``mail`` is None while it is neither sent nor has failed, and where there is no PeakTPM.
    """

    service_id: str
    since: str
    mail: TPMMail | None = None

    @property
    def is_sent(self) -> bool:
        return self.mail is not None and self.mail.sent

    @property
    def changed_at(self) -> str:
        """When it became downstream, or when its mail was sent or failed, whichever is later."""
        return self.since if self.mail is None else max(self.since, self.mail.at)


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest fact of each kind; None where there was none yet.

    ``hardware`` is that of Upscaling, ``descale`` that of Descaling. The downstream services are those of the fleet's
    service, in order. They are known only where there is a projection.
    """

    projection: Projection | None = None
    hardware: Hardware | None = None
    limits: Limits | None = None
    applied: AppliedLimits | None = None
    downstream: tuple[Downstream, ...] = ()
    descale: Hardware | None = None
    bau: BAUTraffic | None = None

    @property
    def peak_tpm(self) -> int | None:
        """None without a projection."""
        return None if self.projection is None else self.projection.present_tpm


NO_FACTS: Final = Facts()

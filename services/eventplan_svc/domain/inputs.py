"""What a plan is computed from: its event, its fleet, the fleet's service, and the newest facts about it.

Each side is made of the newest snapshot that its owner published; ``version`` orders those of one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from services.eventplan_svc.domain.facts import NO_FACTS, Facts
from services.eventplan_svc.domain.milestones import OwnDays
from services.eventplan_svc.domain.plan import plan_id
from shared.clock import iso
from shared.schemas.base import Snapshot
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.organization import OrganizationSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot, ServiceType
from shared.schemas.hotw_svc import STANDARD_LEAD_DAYS
from shared.schemas.milestones import DAYS_BEFORE_PEAK


def _changed_at(snapshot: Snapshot) -> str:
    """When the version was written; empty where it does not say."""
    at = snapshot.audit_metadata.timestamp
    return iso(at) if at else ""


@dataclass(frozen=True, slots=True)
class Event:
    """A peak event. ``changed_at`` is when this version was written, empty where it does not say.

    ``own_days``: when its milestones are due, where it is not the default.
    """

    event_id: str
    version: int
    peak_start: str
    peak_end: str
    regions: tuple[str, ...]
    active: bool
    deleted: bool
    changed_at: str = ""
    own_days: OwnDays = ()

    @classmethod
    def of(cls, snapshot: EventSnapshot) -> Self:
        return cls(
            event_id=snapshot.event_id,
            version=snapshot.version_id,
            peak_start=snapshot.peak_start_date.isoformat(),
            peak_end=snapshot.peak_end_date.isoformat(),
            regions=tuple(snapshot.region_list),
            active=snapshot.is_active is not False,
            deleted=snapshot.deleted,
            changed_at=_changed_at(snapshot),
            own_days=tuple(
                sorted(
                    (one.event_milestone_id, one.days_before_peak)
                    for one in snapshot.milestones or ()
                    if one.days_before_peak != DAYS_BEFORE_PEAK[one.event_milestone_id]
                )
            ),
        )

    @property
    def order_by_date(self) -> str:
        """The day by which Standard orders are to be placed: the start of the peak less their lead time (7.15.8)."""
        return (date.fromisoformat(self.peak_start) - timedelta(days=STANDARD_LEAD_DAYS)).isoformat()

    def takes_plans(self, today: str) -> bool:
        """Whether its plans are made: it is active, and its peak is not past (which is so after its last day)."""
        return self.active and not self.deleted and self.peak_end >= today


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet, from its base line. A fleet's line for an event changes neither service nor region.

    ``changed_at`` is when this version was written, empty where it does not say. ``desired_capacity``: the ASGs' Σ.
    """

    fleet_id: str
    version: int
    service_id: str
    region: str
    deleted: bool
    changed_at: str = ""
    desired_capacity: int = 0

    @classmethod
    def of(cls, snapshot: FleetSnapshot) -> Self:
        return cls(
            fleet_id=snapshot.fleet_id,
            version=snapshot.version_id,
            service_id=snapshot.service_id,
            region=snapshot.fleet_configuration.region,
            deleted=snapshot.deleted,
            changed_at=_changed_at(snapshot),
            desired_capacity=sum(
                asg.desired_capacity or 0 for asg in snapshot.fleet_configuration.asg_properties or ()
            ),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A service."""

    service_id: str
    version: int
    owner: str
    leader_alias: str | None
    registered: bool
    deleted: bool

    @classmethod
    def of(cls, snapshot: ServiceSnapshot) -> Self:
        return cls(
            service_id=snapshot.service_id,
            version=snapshot.version_id,
            owner=snapshot.owner,
            leader_alias=snapshot.leader_alias,
            registered=snapshot.service_type is ServiceType.REGISTERED,
            deleted=snapshot.deleted,
        )


@dataclass(frozen=True, slots=True)
class Organization:
    """A part of the company: the one that it is below (None: it is at the top), and the services of its own.

    No plan goes by it; dashboards do. ``changed_at`` is when this version was written, empty where it does not say.
    """

    organization_id: str
    version: int
    parent_id: str | None
    services: tuple[str, ...]
    deleted: bool
    changed_at: str = ""

    @classmethod
    def of(cls, snapshot: OrganizationSnapshot) -> Self:
        return cls(
            organization_id=snapshot.organization_id,
            version=snapshot.version_id,
            parent_id=snapshot.parent_id,
            services=tuple(snapshot.services or ()),
            deleted=snapshot.deleted,
            changed_at=_changed_at(snapshot),
        )


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything that one plan is computed from. ``service`` is None while nobody has created it."""

    event: Event
    fleet: Fleet
    service: Service | None
    facts: Facts = NO_FACTS

    @property
    def plan_id(self) -> str:
        return plan_id(self.event.event_id, self.fleet.fleet_id)

    def is_due(self, today: str) -> bool:
        """Whether automation makes the plan: the service is Registered, nothing is deleted, the event takes plans.

        The region does not matter: a fleet outside the event's RegionList gets its plan, closed.
        """
        service = self.service
        if service is None or service.deleted or not service.registered or self.fleet.deleted:
            return False
        return self.event.takes_plans(today)

"""What eventplan_svc answers beside its plans: the readiness dashboard of an event (6.6)."""

from __future__ import annotations

from shared.schemas.base import Count, Id, Name, Text, WireDate, WireModel
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus


class FleetReadiness(WireModel):
    """A fleet's row: its colour, and what it waits for, by when, why and from whom; null where it waits for nothing."""

    fleet_id: Id
    region: Name | None
    peak_ready_status: PeakReadyStatus
    event_milestone: MilestoneId | None
    eta: WireDate | None
    status_reasoning: Text | None
    action_pending_on: Name | None


class ServiceReadiness(WireModel):
    """A service with those of its fleets that were asked for. Its colour is the worst of all its open plans."""

    service_id: Id
    owner: Name
    leader_alias: Name | None
    peak_ready_status: PeakReadyStatus
    fleets: list[FleetReadiness]


class ReadinessTotals(WireModel):
    """The open plans of the event, or of the services asked for, by colour and by milestone and status."""

    fleets: Count
    by_colour: dict[PeakReadyStatus, Count]
    by_milestone: dict[MilestoneId, dict[MilestoneStatus, Count]]


class ReadinessDashboard(WireModel):
    """Who is ready for an event: a page of services, and the totals."""

    event_id: Id
    services: list[ServiceReadiness]
    totals: ReadinessTotals
    next_cursor: str | None

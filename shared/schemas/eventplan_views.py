"""What eventplan_svc answers beside its plans: the dashboards of an event (6.6) and its readiness report (8.6.15)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.schemas.base import Count, Flag, Id, Instant, Name, Text, WireDate, WireModel
from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus


class FleetReadiness(WireModel):
    """A fleet's row: its colour, and what it waits for, by when, why and from whom; null where it waits for nothing.

    The descale dashboard has the same rows of the descale milestones, which have colours of their own there and colour
    no plan (6.2.10); its HostsMissing and OrderByDate are null. ``OrderByDate`` is the day by which Standard orders are
    to be placed (7.15.8).
    """

    fleet_id: Id
    region: Name | None
    peak_ready_status: PeakReadyStatus
    event_milestone: MilestoneId | None
    eta: WireDate | None
    status_reasoning: Text | None
    action_pending_on: Name | None
    hosts_missing: Count | None
    order_by_date: WireDate | None


class ServiceReadiness(WireModel):
    """A service with those of its fleets that were asked for. Its colour is the worst of all its open plans."""

    service_id: Id
    owner: Name
    leader_alias: Name | None
    peak_ready_status: PeakReadyStatus
    fleets: list[FleetReadiness]


class ColouredPlans(WireModel):
    """Open plans by colour."""

    fleets: Count
    by_colour: dict[PeakReadyStatus, Count]


class ReadinessTotals(ColouredPlans):
    """The open plans of the event, or of the services asked for: by colour, by milestone and status, by region, leader
    and OrganizationId. An organization counts all of its subtree.
    """

    by_milestone: dict[MilestoneId, dict[MilestoneStatus, Count]]
    by_region: dict[Name, ColouredPlans]
    by_leader: dict[Name, ColouredPlans]
    by_organization: dict[Id, ColouredPlans]


class ReadinessDashboard(WireModel):
    """Who is ready for an event, or has come back from it: a page of services, and the totals."""

    event_id: Id
    services: list[ServiceReadiness]
    totals: ReadinessTotals
    next_cursor: str | None
    approximate: Flag | None = None
    """Of an earlier time, and of something shown it is not known how it was then (6.6.25)."""


class AwaitedAction(WireModel):
    """What fleets wait for, by when (the earliest ETA), why and from whom."""

    action_pending_on: Name | None
    event_milestone: MilestoneId
    status_reasoning: Text | None
    eta: WireDate | None
    fleet_ids: list[Id]


class ReportFigures(ColouredPlans):
    """How ready a leader's or a service's open plans are. The colour is the worst of theirs."""

    peak_ready_status: PeakReadyStatus
    hosts_missing: Count


class ReportedService(ReportFigures):
    """A service, and what is awaited for its fleets: what is due first comes first."""

    service_id: Id
    owner: Name
    awaited: list[AwaitedAction]


class ReportedLeader(ReportFigures):
    """A leader with his services, the worst first; null: the services without a leader."""

    leader_alias: Name | None
    services: list[ReportedService]


class ReadinessReport(WireModel):
    """What an event still waits for on a UTC day, by leader and service, the worst first; and its totals."""

    event_id: Id
    date: WireDate
    leaders: list[ReportedLeader]
    totals: ReadinessTotals


class DayOfTrend(WireModel):
    """The open plans of an event by colour, just before the day's 24:00 UTC (6.6.26)."""

    date: WireDate
    by_colour: dict[PeakReadyStatus, Count]


class Trend(WireModel):
    """The days that were asked for and are over, oldest first."""

    items: list[DayOfTrend]


class ColourChange(WireModel):
    """A plan's change of colour, the milestone that made it, and why."""

    fleet_id: Id
    from_: Annotated[PeakReadyStatus, Field(alias="From")]
    to: PeakReadyStatus
    event_milestone_id: MilestoneId
    reason: Text
    timestamp: Instant

"""The contract of the BAU dashboard: what a service's fleets need and have outside events (4.564)."""

from __future__ import annotations

from typing import Annotated, Final

from shared.schemas.base import Count, Id, Instant, WireModel
from shared.schemas.numbers import WholeNumber

_MOST: Final = 2**53 - 1  # the largest whole number that every reader of JSON takes exactly
Total = Annotated[int, WholeNumber(0, _MOST)]


class BAUJob(WireModel):
    """A BAUHostJob of a fleet. ``NextDueAt`` is absent while the job is not enabled."""

    job_id: Id
    next_due_at: Instant | None = None


class BAUFleet(WireModel):
    """A fleet outside events.

    ``BAUTPM`` is absent while its traffic says nothing; so is ``RequiredHosts``, unless the service's hosts are Fixed.
    """

    fleet_id: Id
    bau_tpm: Count | None = None
    required_hosts: Count | None = None
    hosts_present: Count
    jobs: list[BAUJob]


class BAUTotals(WireModel):
    """The sums of what is known."""

    bau_tpm: Total
    required_hosts: Total
    hosts_present: Total


class BAUDashboard(WireModel):
    """The fleets of a service, by FleetId."""

    service_id: Id
    fleets: list[BAUFleet]
    totals: BAUTotals

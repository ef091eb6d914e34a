"""Use case: shows what the fleets of a service need and have outside events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.domain.bau_capacity import Bounds, bau_hosts, bounds_of, hosts_present
from services.fleet_svc.domain.fleet_lines import Line
from shared.clock import Clock
from shared.cron import next_slot
from shared.documents import Document, Documents
from shared.resources import Declared
from shared.schemas.fleet_svc.bau_dashboard import BAUDashboard, BAUFleet, BAUJob, BAUTotals
from shared.schemas.fleet_svc.bau_host_job import BAU_HOST_JOB, BAUHostJob
from shared.schemas.fleet_svc.fleet import HostInventory
from shared.schemas.fleet_svc.philosophy import PHILOSOPHY, Philosophy
from shared.schemas.fleet_svc.service import SERVICE, Service
from shared.schemas.validation import validated


async def show_bau_dashboard(
    service_id: str, *, declared: Declared, bau: Documents, fleets: Fleets, clock: Clock
) -> BAUDashboard:
    """Every fleet of the service, with three reads for each thousand of them. NotFound for an unknown service."""
    service = validated(Service, SERVICE.own((await declared["Service"].latest(service_id)).state))
    own = await declared["Philosophy"].documents.latest(service_id)
    philosophy = service.philosophy if own is None else validated(Philosophy, PHILOSOPHY.own(own.state))
    bounds, now, shown = bounds_of(philosophy), clock.now(), list[BAUFleet]()
    async for bases in fleets.bases.scan({"ServiceId": service_id}):
        fleet_ids = [base.key for base in bases]
        known = await bau.latest_many(fleet_ids)
        jobs = await _jobs_of(fleet_ids, declared["BAUHostJob"].documents)
        for base in bases:
            traffic = known.get(base.key)
            bau_tpm = None if traffic is None else traffic.state.get("BAUTPM")
            shown.append(_fleet(base, bau_tpm, bounds, jobs.get(base.key, ()), now))
    return BAUDashboard(service_id=service_id, fleets=shown, totals=_totals(shown))


async def _jobs_of(fleet_ids: Sequence[str], documents: Documents) -> dict[str, list[BAUHostJob]]:
    found: dict[str, list[BAUHostJob]] = {}
    if fleet_ids:
        async for page in documents.scan({"FleetId": list(fleet_ids)}):
            for document in page:
                job = validated(BAUHostJob, BAU_HOST_JOB.own(document.state))
                found.setdefault(job.fleet_id, []).append(job)
    return found


def _fleet(base: Document, bau_tpm: int | None, bounds: Bounds, jobs: Sequence[BAUHostJob], now: datetime) -> BAUFleet:
    configuration = Line.model_validate(base.state).fleet_configuration
    counted: Any = base.side.get("HostInventory")
    inventory = None if counted is None else HostInventory.model_validate(counted)
    return BAUFleet(
        fleet_id=base.key,
        bau_tpm=bau_tpm,
        required_hosts=bau_hosts(configuration, bounds, bau_tpm),
        hosts_present=hosts_present(configuration, inventory),
        jobs=[BAUJob(job_id=job.job_id, next_due_at=_next_due(job, now)) for job in jobs],
    )


def _next_due(job: BAUHostJob, now: datetime) -> datetime | None:
    return next_slot(job.schedule, job.time_zone, now) if job.is_enabled else None


def _totals(fleets: Sequence[BAUFleet]) -> BAUTotals:
    return BAUTotals(
        bau_tpm=sum(fleet.bau_tpm or 0 for fleet in fleets),
        required_hosts=sum(fleet.required_hosts or 0 for fleet in fleets),
        hosts_present=sum(fleet.hosts_present for fleet in fleets),
    )

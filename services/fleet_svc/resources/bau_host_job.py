"""BAUHostJobs: each slot of the schedule of an enabled job is published once (4.560, 4.561); the fleet must exist."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.host_schedule import check_schedule
from shared.cause import Cause
from shared.resources import Others, Resource
from shared.schemas.fleet_svc.bau_host_job import BAU_HOST_JOB, BAUHostJob
from shared.schemas.fleet_svc.fleet import FLEET


def _scheduled(before: BAUHostJob | None, after: BAUHostJob, _: Others, cause: Cause) -> BAUHostJob:
    """Another schedule begins now, and so does one that is enabled again: what it missed before does not count."""
    if before is not None and _schedule_of(before) == _schedule_of(after):
        return after
    check_schedule(after.schedule, after.time_zone)
    return after.model_copy(update={"scheduled_since": cause.now})


def _schedule_of(job: BAUHostJob) -> tuple[object, ...]:
    return job.schedule, job.time_zone, job.is_enabled


BAU_HOST_JOBS: Final = Resource(
    contract=BAU_HOST_JOB,
    path="/bauhostjob",
    filters=("FleetId", "TimeZone"),
    sort=("TargetHosts",),
    references=(FLEET,),
    on_write=_scheduled,
)

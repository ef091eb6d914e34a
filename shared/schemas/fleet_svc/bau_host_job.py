"""The contract of BAUHostJob: when somebody wants to be reminded of the hosts that a fleet should have in BAU."""

from __future__ import annotations

from typing import Final

from shared.schemas.base import Count, Flag, Id, Instant, Name, PositiveCount, Snapshot, WireModel
from shared.schemas.resource_contract import ResourceContract

DUE: Final = "bauhostjob.due"


class BAUHostJob(WireModel):
    """When a fleet should have how many hosts outside events. It orders nothing (4.562).

    ``Schedule`` is a cron expression of five fields in ``TimeZone``, UTC unless given. A job is enabled unless
    ``Enabled`` is false. ``ScheduledSince``: since when it has its present schedule; no slot before that falls due.
    """

    job_id: Id
    fleet_id: Id
    schedule: Name
    target_hosts: Count
    time_zone: Name | None = None
    enabled: Flag | None = None
    scheduled_since: Instant | None = None

    @property
    def is_enabled(self) -> bool:
        return self.enabled is not False


class BAUHostJobSnapshot(BAUHostJob, Snapshot):
    """``bauhostjob.{created,updated,deleted}``."""


class BAUHostJobRead(BAUHostJobSnapshot):
    """A job as it is read. ``LastDueAt``: its last slot that was published; it makes no version."""

    last_due_at: Instant | None = None


class BAUHostJobDue(WireModel):
    """``bauhostjob.due``: a slot of the job has come; once for each slot. ``VersionId`` is that of the job."""

    job_id: Id
    version_id: PositiveCount
    fleet_id: Id
    target_hosts: Count
    due_at: Instant


BAU_HOST_JOB: Final = ResourceContract(
    model=BAUHostJob,
    owner="fleet_svc",
    key=("JobId",),
    managed=("scheduled_since",),
    given_snapshot=BAUHostJobSnapshot,
    given_read=BAUHostJobRead,
)

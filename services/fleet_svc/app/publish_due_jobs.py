"""Use case: publishes the slots of BAUHostJobs that have come, each once, whatever number of processes looks."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog

from shared.cause import AUTOMATION, Cause
from shared.clock import Clock, iso, parse_instant
from shared.cron import MISSED_FOR, newest_slot, next_slot
from shared.documents import Document, Documents, OutgoingEvent, State
from shared.errors import NotFound
from shared.schemas.fleet_svc.bau_host_job import BAU_HOST_JOB, DUE, BAUHostJob, BAUHostJobDue
from shared.schemas.validation import validated
from shared.trace import current_trace

log = structlog.get_logger(__name__)

_LAST: Final = "LastDueAt"
"""The member outside the versions that holds the last slot that was published."""
_NEVER: Final = parse_instant("9999-12-31T00:00:00Z")


class DueJobs:
    """Looks through all jobs. ``jobs`` are their documents.

    The next slot of each job is remembered, because working it out costs ten times what reading the job costs.
    """

    def __init__(self, jobs: Documents, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._next: dict[str, tuple[tuple[int, str | None], datetime]] = {}  # by key: version and last slot, next slot

    async def publish(self) -> None:
        """Publishes ``bauhostjob.due`` for the newest slot of each job that has come since its last one.

        What was published is kept with the job in one atomic write, so no second process publishes it again. Slots
        that were missed become one; see ``MISSED_FOR`` for how long.
        """
        known, self._next = self._next, {}
        async for page in self._jobs.scan():
            for document in page:
                now, place = self._clock.now(), (document.version, document.side.get(_LAST))
                remembered = known.get(document.key)
                try:
                    if remembered is not None and remembered[0] == place:
                        following = remembered[1]
                    else:
                        following = _following(document, now - MISSED_FOR)
                    if following <= now:
                        await self._publish(document.key, now)
                    else:
                        self._next[document.key] = (place, following)
                except (ValueError, LookupError):  # a time zone that a newer database lacks, say: the others go on
                    log.exception("a job cannot fall due", job_id=document.key)

    async def _publish(self, key: str, now: datetime) -> None:
        def published(present: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
            job = _job_in(present)
            slot = newest_slot(job.schedule, job.time_zone, after=_since(present, job), until=now)
            if slot is None or not job.is_enabled:
                return None
            due = BAUHostJobDue(
                job_id=job.job_id,
                version_id=present.version,
                fleet_id=job.fleet_id,
                target_hosts=job.target_hosts,
                due_at=slot,
            )
            event = OutgoingEvent(DUE, key, f"{key}:{iso(slot)}:{DUE}", due.wire())
            return {**present.side, _LAST: iso(slot)}, (event,)

        try:
            await self._jobs.amend(key, published, Cause(now, AUTOMATION, current_trace()))
        except NotFound:
            log.info("a job was deleted as it fell due", job_id=key)


def _following(document: Document, earliest: datetime) -> datetime:
    """The first slot after ``earliest`` that is not published; far away for a job that is not enabled."""
    job = _job_in(document)
    if not job.is_enabled:
        return _NEVER
    return next_slot(job.schedule, job.time_zone, max(_since(document, job), earliest))


def _since(document: Document, job: BAUHostJob) -> datetime:
    """The instant after which slots are still to be published."""
    begun = job.scheduled_since or parse_instant(document.changed)
    last = document.side.get(_LAST)
    return begun if last is None else max(begun, parse_instant(last))


def _job_in(document: Document) -> BAUHostJob:
    return validated(BAUHostJob, BAU_HOST_JOB.own(document.state))

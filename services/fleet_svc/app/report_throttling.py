"""Use case: somebody reports which version of a fleet's limits Gizmo (SDC) applies."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.throttling import reported
from shared.cause import Cause
from shared.documents import Document, Documents, OutgoingEvent, State, Written
from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.projection import PROJECTION, Projection
from shared.schemas.fleet_svc.throttling import AppliedThrottling, ReportThrottling, ThrottlingApplied
from shared.schemas.validation import validated

APPLIED: Final = "Applied"
"""The member outside the versions that holds the last report."""
_EVENT: Final = "throttling.applied"


async def report_throttling(
    command: ReportThrottling, cause: Cause, *, throttlings: Documents, projections: Documents
) -> Written:
    """Keeps the report outside the versions, so that it makes no version and disturbs no If-Match.

    The report of the latest version publishes ``throttling.applied`` with the PeakTPM of this moment (4.472); an older
    version is only kept (4.473). The same report again does nothing, unless the PeakTPM is another one by now.
    NotFound for limits that are not there, BadInput for a version that they never had.
    """
    key = f"{command.fleet_id}#{command.event_id}"
    version = await throttlings.version(key, command.applied_version_id)
    projection = await projections.latest(PROJECTION.key_in({**PROJECTION.key_defaults, **command.wire()}))
    peak_tpm = None if projection is None else _peak_tpm(projection)

    def kept(present: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
        if command.applied_version_id > present.version:
            raise _no_version(f"version {present.version} is the latest; give that one or an older one")
        if version is not None and version.deleted:
            raise _no_version("that version is a deletion, which holds no limits")
        last = present.side.get(APPLIED)
        known = None if last is None else AppliedThrottling.model_validate(last)
        report = reported(known, command, peak_tpm=peak_tpm, user=cause.user, now=cause.now)
        if report is None:
            return None
        side = {**present.side, APPLIED: report.wire()}
        if report.applied_version_id != present.version:
            return side, ()
        data = ThrottlingApplied(fleet_id=command.fleet_id, event_id=command.event_id, **dict(report)).wire()
        event_id = f"{key}:{report.applied_version_id}.{report.report_number}:{_EVENT}"
        return side, (OutgoingEvent(_EVENT, key, event_id, data),)

    return await throttlings.amend(key, kept, cause)


def _peak_tpm(projection: Document) -> int | None:
    state = {name: value for name, value in projection.state.items() if name != PROJECTION.joined_key}
    return validated(Projection, state).peak_tpm


def _no_version(detail: str) -> BadInput:
    return BadInput("the limits have no such version", [FieldError("/AppliedVersionId", detail)])

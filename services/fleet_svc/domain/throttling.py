"""The rules of throttling: the limits beside the PeakTPM, and what a report of the applied version comes to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.schemas.fleet_svc.projection import Projection
from shared.schemas.fleet_svc.throttling import (
    AppliedThrottling,
    ReportThrottling,
    Throttling,
    ThrottlingState,
    ThrottlingStatus,
)


def compared(throttling: Throttling, projection: Projection | None) -> Mapping[str, Any]:
    """The sum of the limits, the PeakTPM, and a sentence that compares them (4.476)."""
    total, peak_tpm = throttling.total, None if projection is None else projection.peak_tpm
    limits = f"The limits are {total:,} TPM together"
    if peak_tpm is None:
        return {"LimitsSum": total, "Message": f"{limits}; there is no projection to compare them with"}
    if total == peak_tpm:
        compared_to = "exactly the PeakTPM"
    else:
        compared_to = f"{abs(total - peak_tpm):,} {'over' if total > peak_tpm else 'below'} the PeakTPM of {peak_tpm:,}"
    return {"LimitsSum": total, "PeakTPM": peak_tpm, "Message": f"{limits}, {compared_to}"}


def reported(
    last: AppliedThrottling | None, report: ReportThrottling, *, peak_tpm: int | None, user: str, now: datetime
) -> AppliedThrottling | None:
    """What is kept of a report; None where it only repeats the last one for the same PeakTPM."""
    if last is not None and (last.applied_version_id, last.source, last.peak_tpm) == (
        report.applied_version_id,
        report.source,
        peak_tpm,
    ):
        return None
    return AppliedThrottling(
        applied_version_id=report.applied_version_id,
        source=report.source,
        peak_tpm=peak_tpm,
        report_number=1 if last is None else last.report_number + 1,
        reported_at=now,
        reported_by=user,
    )


def status_of(fleet_id: str, event_id: str, *, version: int, applied: AppliedThrottling | None) -> ThrottlingStatus:
    """Whether the latest version of the limits is applied: a report of an older one does not make it so (4.473)."""
    is_applied = applied is not None and applied.applied_version_id == version
    return ThrottlingStatus(
        fleet_id=fleet_id,
        event_id=event_id,
        version_id=version,
        status=ThrottlingState.APPLIED if is_applied else ThrottlingState.NOT_APPLIED,
        applied=applied,
    )

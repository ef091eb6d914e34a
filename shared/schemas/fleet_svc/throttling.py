"""The contract of Throttling: what each client of a fleet may send during an event, and what Gizmo (SDC) applies."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from pydantic import model_validator

from shared.schemas.base import (
    MAX_COUNT,
    CommandBody,
    Count,
    Id,
    Instant,
    Name,
    PositiveCount,
    Snapshot,
    Text,
    WireModel,
    broken_rule,
)
from shared.schemas.resource_contract import ResourceContract


class ThrottlingLimit(WireModel):
    """What one client may send."""

    client: Name
    tpm: Count


class Throttling(WireModel):
    """What each client of a fleet may send during an event. No client is named twice."""

    fleet_id: Id
    event_id: Id
    limits: list[ThrottlingLimit]
    source: Name | None = None

    @property
    def total(self) -> int:
        return sum(limit.tpm for limit in self.limits)

    @model_validator(mode="after")
    def _one_limit_each(self) -> Self:
        named: set[str] = set()
        for limit in self.limits:
            if limit.client in named:
                raise broken_rule("Limits", f"{limit.client} is named twice; give each client one limit")
            named.add(limit.client)
        if self.total > MAX_COUNT:
            raise broken_rule("Limits", f"their sum is {self.total}; give limits of at most {MAX_COUNT} together")
        return self


class ThrottlingSnapshot(Throttling, Snapshot):
    """``throttling.{created,updated,deleted}``."""


class AppliedThrottling(WireModel):
    """The last report of what Gizmo applies, and the PeakTPM of that moment; None: the fleet had no projection.

    ``ReportNumber`` counts what was reported since the limits were created.
    """

    applied_version_id: PositiveCount
    source: Name | None = None
    peak_tpm: Count | None = None
    report_number: PositiveCount
    reported_at: Instant
    reported_by: Name


class ThrottlingRead(ThrottlingSnapshot):
    """The limits as they are read: with their sum beside the projection's PeakTPM, and with what is applied."""

    limits_sum: Count | None = None
    peak_tpm: Count | None = None
    message: Text | None = None
    applied: AppliedThrottling | None = None


class ThrottlingState(StrEnum):
    APPLIED = "Applied"
    NOT_APPLIED = "NotApplied"


class ThrottlingStatus(WireModel):
    """Whether the latest limits are applied. ``VersionId`` is their version, ``Applied`` the last report."""

    fleet_id: Id
    event_id: Id
    version_id: PositiveCount
    status: ThrottlingState
    applied: AppliedThrottling | None = None


class ReportThrottling(CommandBody):
    """Reports which version of the limits is applied."""

    fleet_id: Id
    event_id: Id
    applied_version_id: PositiveCount
    source: Name | None = None


class ThrottlingApplied(AppliedThrottling):
    """``throttling.applied``: the latest version is applied.

    A report of a higher version is newer; of one version the one with the higher ``ReportNumber``.
    """

    fleet_id: Id
    event_id: Id


THROTTLING: Final = ResourceContract(
    model=Throttling,
    owner="fleet_svc",
    key=("FleetId", "EventId"),
    given_snapshot=ThrottlingSnapshot,
    given_read=ThrottlingRead,
    consumers=("eventplan_svc",),
)

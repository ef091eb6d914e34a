"""The contract of Projection: how much traffic a fleet will get during an event."""

from __future__ import annotations

from typing import Final, Self

from pydantic import model_validator

from shared.schemas.base import Count, Flag, Id, JoinedKey, Name, Snapshot, WireModel, broken_rule
from shared.schemas.resource_contract import ResourceContract


class UpstreamProjection(WireModel):
    upstream_service_id: Id
    upstream_tpm: Count | None = None
    is_verified: Flag | None = None


class Projection(WireModel):
    """How much traffic a fleet will get during an event. At least one TPM must be given."""

    fleet_id: Id
    event_id: Id
    projection_type: Id = "Peak"
    total_input_tpm: Count | None = None
    is_verified_by_owner: Flag | None = None
    cloud_tune_projection: Count | None = None
    manual_override: Count | None = None
    projection_source: Name | None = None
    upstream_projections: list[UpstreamProjection] | None = None

    @property
    def peak_tpm(self) -> int | None:
        """ManualOverride, else CloudTuneProjection, else TotalInputTPM (7.3.5)."""
        given = (self.manual_override, self.cloud_tune_projection, self.total_input_tpm)
        return next((tpm for tpm in given if tpm is not None), None)

    @model_validator(mode="after")
    def _one_tpm(self) -> Self:
        if self.peak_tpm is None:
            raise broken_rule(
                "TotalInputTPM", "give at least one of TotalInputTPM, CloudTuneProjection and ManualOverride"
            )
        return self


class ProjectionSnapshot(Projection, Snapshot):
    """``projection.{created,updated,deleted}``."""

    projection_id: JoinedKey


PROJECTION: Final = ResourceContract(
    model=Projection,
    owner="fleet_svc",
    key=("FleetId", "EventId", "ProjectionType"),
    joined_key="ProjectionId",
    given_snapshot=ProjectionSnapshot,
    consumers=("eventplan_svc", "hotw_svc"),
    partitions=12,
)

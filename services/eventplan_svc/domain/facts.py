"""The newest fact of each kind about one fleet and event, whatever the order they arrive in.

A sheet is kept per fleet and event, also for plans that do not exist yet. Facts of one kind are compared by version
(equal versions by time); an older one never takes the place of a newer one, and a deletion is a fact like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from services.eventplan_svc.domain.times import normal_time

PROJECTION: Final = "Projection"
HARDWARE: Final = "Hardware"
THROTTLING: Final = "Throttling"
TPM_SENT: Final = "TPMSent"

_PROJECTION_MEMBERS: Final = (
    "TotalInputTPM",
    "CloudTuneProjection",
    "ManualOverride",
    "IsVerifiedByOwner",
    "UpstreamProjections",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its kind, its version among its kind, when it came true, and its body in wire form."""

    kind: str
    version: int
    at: str
    body: Mapping[str, Any]
    deleted: bool = False

    def is_newer_than(self, other: Fact | None) -> bool:
        return other is None or (self.version, self.at) > (other.version, other.at)


def projection_fact(snapshot: Mapping[str, Any]) -> Fact | None:
    """The fact in a Projection snapshot; None for a projection that is not of type Peak, which no milestone uses."""
    if (snapshot.get("ProjectionType") or "Peak") != "Peak":
        return None
    return Fact(
        kind=PROJECTION,
        version=snapshot["VersionId"],
        at=normal_time(snapshot["AuditMetadata"]["Timestamp"]),
        body={member: snapshot[member] for member in _PROJECTION_MEMBERS if snapshot.get(member) is not None},
        deleted=bool(snapshot.get("Deleted")),
    )


def hardware_fact(fact: Mapping[str, Any]) -> Fact | None:
    """The fact in any `hotw.*` message about a fleet; None for one of descaling."""
    if fact["Purpose"] != "Upscaling":
        return None
    body = {member: fact.get(member) for member in ("Execution", "Orders", "Gap")}
    return Fact(HARDWARE, fact["OrdersVersionId"], normal_time(fact["OccurredAt"]), body)


def throttling_fact(fact: Mapping[str, Any]) -> Fact:
    """The fact in `throttling.applied` {AppliedVersionId, PeakTPM?, OccurredAt}.

    PeakTPM is the one the limits were applied for; without it the milestone never falls back.
    """
    body = {"AppliedVersionId": fact["AppliedVersionId"], "PeakTPM": fact.get("PeakTPM")}
    return Fact(THROTTLING, fact["AppliedVersionId"], normal_time(fact["OccurredAt"]), body)


def tpm_sent_fact(fact: Mapping[str, Any]) -> Fact:
    """The fact that every downstream was told {ProjectionVersionId, PeakTPM, Downstreams: [ServiceId], OccurredAt}."""
    body = {"PeakTPM": fact.get("PeakTPM"), "Downstreams": list(fact["Downstreams"])}
    return Fact(TPM_SENT, fact["ProjectionVersionId"], normal_time(fact["OccurredAt"]), body)


@dataclass(frozen=True, slots=True)
class FactSheet:
    """The newest fact of each kind; `None` where none has been heard."""

    projection: Fact | None = None
    hardware: Fact | None = None
    throttling: Fact | None = None
    tpm_sent: Fact | None = None

    def noting(self, fact: Fact) -> Self:
        """The sheet with `fact` on it; the very same object where it holds one that is as new."""
        attribute = _ATTRIBUTES[fact.kind]
        if not fact.is_newer_than(getattr(self, attribute)):
            return self
        return replace(self, **{attribute: fact})

    @property
    def peak_tpm(self) -> int | None:
        """ManualOverride, else CloudTuneProjection, else TotalInputTPM (HOTW rule 3); None without a projection."""
        if self.projection is None or self.projection.deleted:
            return None
        body = self.projection.body
        for member in ("ManualOverride", "CloudTuneProjection", "TotalInputTPM"):
            if body.get(member) is not None:
                return int(body[member])
        return None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        return cls(
            **{
                attribute: Fact(kind, held["Version"], held["At"], held["Body"], held["Deleted"])
                for kind, attribute in _ATTRIBUTES.items()
                if (held := wire.get(kind)) is not None
            }
        )

    def wire(self) -> dict[str, Any]:
        """{kind: {Version, At, Body, Deleted}}, for the store the sheets are kept in."""
        held = (fact for fact in (self.projection, self.hardware, self.throttling, self.tpm_sent) if fact)
        return {
            fact.kind: {"Version": fact.version, "At": fact.at, "Body": dict(fact.body), "Deleted": fact.deleted}
            for fact in held
        }


_ATTRIBUTES: Final = {
    PROJECTION: "projection",
    HARDWARE: "hardware",
    THROTTLING: "throttling",
    TPM_SENT: "tpm_sent",
}

"""What a plan has to know of the event, the fleet and the service it stands between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.eventplan_svc.domain.milestones import automatic_etas
from services.eventplan_svc.domain.times import normal_time


@dataclass(frozen=True, slots=True)
class Event:
    """A peak event, from its newest snapshot; `changed_at` is when that version was written."""

    event_id: str
    peak_start: str
    peak_end: str
    regions: tuple[str, ...]
    active: bool
    deleted: bool
    changed_at: str

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> Self:
        active = snapshot.get("IsActive")
        changed_at = (snapshot.get("AuditMetadata") or {}).get("Timestamp")
        return cls(
            event_id=snapshot["EventId"],
            peak_start=snapshot["PeakStartDate"],
            peak_end=snapshot["PeakEndDate"],
            regions=tuple(snapshot["RegionList"]),
            active=True if active is None else bool(active),
            deleted=bool(snapshot.get("Deleted")),
            changed_at=normal_time(changed_at) if changed_at else "",
        )

    @property
    def etas(self) -> Mapping[str, str]:
        """The automatic ETA of every milestone, by id."""
        return automatic_etas(self.peak_start, self.peak_end)

    def is_past(self, today: str) -> bool:
        """Whether the peak is over: it ends at its last day's 24:00 UTC."""
        return self.peak_end < today


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet, from the newest snapshot of its base line (an event's line changes neither service nor region)."""

    fleet_id: str
    service_id: str
    region: str
    deleted: bool

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> Self:
        return cls(
            fleet_id=snapshot["FleetId"],
            service_id=snapshot["ServiceId"],
            region=snapshot["FleetConfiguration"]["Region"],
            deleted=bool(snapshot.get("Deleted")),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A service, from its newest snapshot."""

    service_id: str
    owner: str
    leader_alias: str | None
    registered: bool
    deleted: bool

    @classmethod
    def from_snapshot(cls, snapshot: Mapping[str, Any]) -> Self:
        return cls(
            service_id=snapshot["ServiceId"],
            owner=snapshot["Owner"],
            leader_alias=snapshot.get("LeaderAlias"),
            registered=snapshot["ServiceType"] == "Registered",
            deleted=bool(snapshot.get("Deleted")),
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The three sides of a plan; `service` is the one the fleet names, None while nobody has created it."""

    event: Event
    fleet: Fleet
    service: Service | None

"""The milestones of a plan: their ids in order, their ETAs, how they are edited, how a parent follows its subs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from shared.schemas.eventplan_svc import MilestoneId, MilestoneStatus, PeakReadyStatus
from shared.schemas.milestones import DAYS_AFTER_PEAK, DAYS_BEFORE_PEAK, default_etas

UPSCALE_IDS: Final = tuple(DAYS_BEFORE_PEAK)
DESCALE_IDS: Final = tuple(DAYS_AFTER_PEAK)
SUB_IDS: Final[Mapping[MilestoneId, tuple[MilestoneId, ...]]] = MappingProxyType(
    {MilestoneId.HARDWARE_ORDER: (MilestoneId.PLACE_HARDWARE_ORDER, MilestoneId.HARDWARE_ORDER_APPROVAL)}
)
PARENT_OF: Final = MappingProxyType({sub: parent for parent, subs in SUB_IDS.items() for sub in subs})
ALL_UPSCALE_IDS: Final = tuple(sub for parent in UPSCALE_IDS for sub in (parent, *SUB_IDS.get(parent, ())))

OwnDays: TypeAlias = tuple[tuple[MilestoneId, int], ...]
"""The days before the peak by which milestones of one event are due, where they are not the default (6.1.7)."""

_PENDING: Final = (MilestoneStatus.PENDING_ON_EPIC, MilestoneStatus.PENDING_ON_SERVICE_OWNER)


class Source(StrEnum):
    """Who wrote a milestone's status and message last."""

    HUMAN = "Human"
    AUTOMATED = "Automated"


@dataclass(frozen=True, slots=True)
class Milestone:
    """One milestone of a plan. A sub has neither an ETA nor a colour: it goes by its parent's.

    ``colour`` is the colour at the last write of the plan; descale milestones have none.
    """

    id: MilestoneId
    status: MilestoneStatus = MilestoneStatus.NOT_STARTED
    message: str | None = None
    eta: str | None = None
    source: Source = Source.AUTOMATED
    colour: PeakReadyStatus | None = None
    last_updated: str | None = None
    subs: tuple[Milestone, ...] = ()

    def is_completed(self) -> bool:
        return self.status is MilestoneStatus.COMPLETED


def utc_day(now: datetime) -> str:
    """The UTC day ``now`` falls in."""
    return now.astimezone(UTC).date().isoformat()


@lru_cache(maxsize=1024)  # an event's plans all ask for the same days
def automatic_etas(peak_start: str, peak_end: str, own_days: OwnDays = ()) -> Mapping[MilestoneId, str]:
    """The ETA of every milestone that nobody set by hand. Subs have none."""
    etas = default_etas(date.fromisoformat(peak_start), date.fromisoformat(peak_end), dict(own_days))
    return MappingProxyType({name: eta.isoformat() for name, eta in etas.items()})


def not_started(milestone_id: MilestoneId, etas: Mapping[MilestoneId, str]) -> Milestone:
    """A milestone that nobody has touched."""
    subs = tuple(not_started(sub, etas) for sub in SUB_IDS.get(milestone_id, ()))
    return Milestone(milestone_id, eta=etas.get(milestone_id), subs=subs)


def roll_up(statuses: Sequence[MilestoneStatus]) -> MilestoneStatus:
    """The status of a parent whose subs, in order, have ``statuses``."""
    if all(status is MilestoneStatus.COMPLETED for status in statuses):
        return MilestoneStatus.COMPLETED
    if MilestoneStatus.BLOCKED in statuses:
        return MilestoneStatus.BLOCKED
    for status in statuses:
        if status in _PENDING:
            return status
    if all(status is MilestoneStatus.NOT_STARTED for status in statuses):
        return MilestoneStatus.NOT_STARTED
    return MilestoneStatus.IN_PROGRESS


# -- editing -----------------------------------------------------------------------------------------------------------


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""The value of an edit that leaves the member as it is, where None means that there is none."""
Keep: TypeAlias = Literal[_Keep.KEEP]


@dataclass(frozen=True, slots=True)
class Edit:
    """What is written on one milestone. A parent's status follows its subs, whatever the edit says."""

    status: MilestoneStatus | Keep = KEEP
    message: str | Keep | None = KEEP
    eta: str | Keep = KEEP


_NO_EDIT: Final = Edit()


def edit_milestone(milestone: Milestone, edits: Mapping[MilestoneId, Edit], *, source: Source, at: str) -> Milestone:
    """The milestone, its subs included, after the edits by id; the same object where they change nothing.

    A milestone that changes gets ``at`` as ``last_updated``, and ``source`` where its status or message changes.
    The colour stays as it is.
    """
    edit = edits.get(milestone.id, _NO_EDIT)
    status = milestone.status if edit.status is KEEP else edit.status
    subs = milestone.subs
    if subs:
        subs = tuple(edit_milestone(sub, edits, source=source, at=at) for sub in subs)
        status = roll_up([sub.status for sub in subs])
    message = milestone.message if edit.message is KEEP else edit.message
    eta = milestone.eta if edit.eta is KEEP else edit.eta
    if (status, message) != (milestone.status, milestone.message):
        milestone = replace(milestone, status=status, message=message, source=source, eta=eta, last_updated=at)
    elif eta != milestone.eta:
        milestone = replace(milestone, eta=eta, last_updated=at)
    return milestone if subs == milestone.subs else replace(milestone, subs=subs)

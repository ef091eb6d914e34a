"""A gap: the hosts that a fleet lacks for an event since an input changed after its latest execution (7.10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.inputs import EventFacts, Inputs
from services.hotw_svc.domain.runs.presence import pending_hosts, presence
from services.hotw_svc.domain.runs.requirement import missing, required, too_large
from shared.schemas.hotw_svc import ExecutionFact, ExecutionStatus, Purpose


@dataclass(frozen=True, slots=True)
class Gap:
    """How many hosts are lacking, and since when any are; 0 and None while there is no gap."""

    hosts: int = 0
    since: datetime | None = None

    def of(self, lacking: int, now: datetime) -> Gap:
        """The gap when so many are lacking. An open one keeps the instant at which it opened (7.10.16)."""
        if not lacking:
            return NO_GAP
        return self if lacking == self.hosts else Gap(lacking, self.since or now)


NO_GAP = Gap()


def hosts_lacking(inputs: Inputs) -> int | None:
    """What is neither present nor pending of the hosts that a fleet requires (7.10.5).

    None where that cannot be worked out, because an input is missing or a number is too large.
    """
    if inputs.service is None or missing(inputs):
        return None
    need = required(inputs)
    if too_large(need) is not None:
        return None
    return max(0, need.required - presence(inputs).hosts - pending_hosts(inputs))


def gap_after(gap: Gap, execution: ExecutionFact, now: datetime) -> Gap:
    """The gap after an execution: what that found no room for, where a gap was open. It opens none itself (7.10.3).

    An execution that is a Fail closes it (7.10.18a).
    """
    if not gap.hosts or execution.status is ExecutionStatus.FAIL:
        return NO_GAP
    return gap.of(execution.shortfall, now)


def may_have_gap(
    event: EventFacts, purpose: Purpose, latest: ExecutionFact | None, *, withdrawn: bool, now: datetime
) -> bool:
    """Whether a fleet's gap for an event is checked (7.10.1, 7.10.2). One that takes no part any more has none."""
    if latest is None or latest.status is ExecutionStatus.FAIL or purpose is not Purpose.UPSCALING:
        return False
    return event.is_active and not withdrawn and now < event.peak_end


def gap_topic(before: Gap, after: Gap) -> str | None:
    """The topic of the fact about a gap that became another; None where it stayed as it was (7.10.15 to 7.10.18b)."""
    if before.hosts == after.hosts:
        return None
    return "hotw.gap.opened" if after.hosts else "hotw.gap.closed"

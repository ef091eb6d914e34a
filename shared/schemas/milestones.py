"""When the milestones of an Event are due: eventplan_svc plans by it, event_svc shows it in the calendar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from shared.schemas.base import FIRST_DAY, LAST_DAY
from shared.schemas.eventplan_svc import MilestoneId

DAYS_BEFORE_PEAK: Final[Mapping[MilestoneId, int]] = MappingProxyType(
    {
        MilestoneId.GATHER_PROJECTION: 45,
        MilestoneId.HARDWARE_ORDER: 30,
        MilestoneId.HARDWARE_FULFILLMENT: 10,
        MilestoneId.COMMUNICATE_TPM: 14,
        MilestoneId.UPDATE_THROTTLING: 7,
    }
)
"""The milestones before the peak in their order (6.2.1 to 6.2.5), and by when each is due (6.1.8 to 6.1.12).

A sub-milestone goes by its parent.
"""
DAYS_AFTER_PEAK: Final[Mapping[MilestoneId, int]] = MappingProxyType(
    {
        MilestoneId.GATHER_DESCALE_PROJECTIONS: 3,
        MilestoneId.PLACE_DESCALE_ORDER: 5,
        MilestoneId.DESCALE_FULFILLMENT: 14,
        MilestoneId.RESTORE_THROTTLING: 14,
    }
)
"""The milestones after the peak in their order (6.2.6 to 6.2.9), each with its days after the last day."""


def default_etas(peak_start: date, peak_end: date, own_days: Mapping[MilestoneId, int]) -> dict[MilestoneId, date]:
    """When each milestone is due that nobody dated by hand. ``own_days``: the Event's own days before the peak (6.1.7).

    A day that no document can hold is the first or the last one that can.
    """
    before = {**DAYS_BEFORE_PEAK, **own_days}
    etas = {name: max(peak_start - timedelta(days=days), FIRST_DAY) for name, days in before.items()}
    return etas | {name: min(peak_end + timedelta(days=days), LAST_DAY) for name, days in DAYS_AFTER_PEAK.items()}

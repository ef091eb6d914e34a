"""An outside engine's override: its window and value stay as they were recorded; EPIC follows its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus


def settled_recorded(override: Override, orders: Sequence[Order], *, withdrawn: bool, now: datetime) -> Override:
    """The override brought up to date; equal to the one given when nothing about it changed (7.0.21, 7.9.6, 7.9.23).

    ``orders`` are the fleet's for the override's event. An override without orders of its ASG is Proposed until it
    ends, since nobody has approved anything.
    """
    mine = [order for order in orders if order.asg_name == override.asg_name]
    needed = not mine or any(order.needs_override for order in mine)
    if override.status is OverrideStatus.CANCELLED:
        if withdrawn or not needed or override.end <= now:
            return override
    elif not override.is_live:
        return override
    return replace(override, status=_status(override, mine, needed=needed and not withdrawn, now=now))


def _status(override: Override, orders: Sequence[Order], *, needed: bool, now: datetime) -> OverrideStatus:
    if override.end <= now:
        return OverrideStatus.EXPIRED
    if override.has_started(now):
        return OverrideStatus.STARTED
    if not needed:
        return OverrideStatus.CANCELLED
    if not any(order.approved_at is not None or order.fulfilled_hosts for order in orders):
        return OverrideStatus.PROPOSED
    return OverrideStatus.STARTED if override.start <= now else OverrideStatus.APPROVED

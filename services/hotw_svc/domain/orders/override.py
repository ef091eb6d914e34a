"""A capacity override: what it raises an ASG to, from when until when, and what becomes of it (HOTW rule 9)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from services.hotw_svc.domain.orders.order import Order
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Engine, OrderType, Purpose


class OverrideStatus(StrEnum):
    """The states of an override: Proposed until an order is approved, then Approved, Started and Expired."""

    PROPOSED = "Proposed"
    APPROVED = "Approved"
    STARTED = "Started"
    EXPIRED = "Expired"
    SUPERSEDED = "Superseded"
    CANCELLED = "Cancelled"


_LIVE = (OverrideStatus.PROPOSED, OverrideStatus.APPROVED, OverrideStatus.STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an event's overrides are planned to run: `start` included, `end` not; offsets in days around the peak."""

    start: datetime
    end: datetime
    peak_start: datetime
    peak_end: datetime
    start_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A capacity override of one ASG for one event.

    `base_capacity` is the DesiredCapacity that the ASG has without EPIC, `value` is what it is raised to, and
    `expiry_value` what it falls back to: the base, but never below the ASG's lower bound. `peak_end` is the end of its
    event's peak: an override that has started is not cut before it.
    """

    run_id: int
    fleet_id: str
    event_id: str
    asg_name: str
    override_type: OrderType
    start: datetime
    end: datetime
    peak_end: datetime
    start_offset: int
    end_offset: int
    base_capacity: int
    value: int
    expiry_value: int
    justification: str
    purpose: Purpose = Purpose.UPSCALING
    status: OverrideStatus = OverrideStatus.PROPOSED
    engine: Engine = Engine.EPIC

    @property
    def name(self) -> str:
        """CapacityOverrideName; also the name of a provider's scheduled action."""
        return f"{self.event_id}-{self.asg_name}"

    @property
    def duration(self) -> str:
        """Duration as the reference writes it: `2200 s`."""
        return f"{max(0, int((self.end - self.start).total_seconds()))} s"

    @property
    def is_live(self) -> bool:
        """Proposed, Approved or Started."""
        return self.status in _LIVE

    def has_started(self, now: datetime) -> bool:
        """Whether it is in force: marked Started, or Approved with a start that has passed."""
        return self.status is OverrideStatus.STARTED or (self.status is OverrideStatus.APPROVED and self.start <= now)

    def runs_over(self, start: datetime, end: datetime) -> bool:
        """Whether its window holds all of the time from `start` to `end`."""
        return self.start <= start and self.end >= end

    @property
    def in_force(self) -> bool:
        """Whether it raises its ASG while it runs, or did: it left Proposed, and nothing took its place."""
        return self.status in (OverrideStatus.APPROVED, OverrideStatus.STARTED, OverrideStatus.EXPIRED)

    def was_on(self, instant: datetime) -> bool:
        """Whether it raised its ASG at `instant`."""
        return self.in_force and self.start <= instant < self.end


def base_capacity(
    asg_name: str, *, desired_capacity: int, capacity_as_of: datetime | None, overrides: Collection[Override]
) -> int:
    """The capacity an ASG has without EPIC: its DesiredCapacity, unless that was reported while an override was on it.

    Then it is what that override took for the base. `overrides` may be of any ASG and event of the fleet.
    """
    if capacity_as_of is None or not overrides:
        return desired_capacity
    on = [override for override in overrides if override.asg_name == asg_name and override.was_on(capacity_as_of)]
    return max(on, key=lambda override: override.start).base_capacity if on else desired_capacity


def proposed(
    previous: Override | None,
    *,
    run_id: int,
    fleet_id: str,
    event_id: str,
    asg_name: str,
    order_type: OrderType,
    purpose: Purpose,
    window: Window,
    base: int,
    justification: str,
) -> Override:
    """The override an execution proposes for an ASG, still to be `settled`.

    It takes the place of the ASG's live one of this event, whose start it keeps if that has begun.
    """
    if previous is not None:
        return replace(
            previous, run_id=run_id, override_type=order_type, justification=justification, engine=Engine.EPIC
        )
    return Override(
        run_id=run_id,
        fleet_id=fleet_id,
        event_id=event_id,
        asg_name=asg_name,
        override_type=order_type,
        start=window.start,
        end=window.end,
        peak_end=window.peak_end,
        start_offset=window.start_offset,
        end_offset=window.end_offset,
        base_capacity=base,
        value=base,
        expiry_value=base,
        justification=justification,
        purpose=purpose,
    )


def settled(
    override: Override,
    *,
    window: Window,
    withdrawn: bool,
    base: int,
    lower_bound: int | None,
    orders: Iterable[Order],
    now: datetime,
    carried: Mapping[str, int] = MappingProxyType({}),
    ceiling: int | None = None,
) -> Override:
    """The override brought up to date; equal to the one given when nothing about it changed.

    Called at each decision and delivery, when the event changes and when time has passed; idempotent for one `now`.
    `orders` may be of any ASG and event. `carried` are the other events' hosts on the ASG that this event's peak
    counts, by event, and `ceiling` is the ASG's MaxOverrideCapacity.

    A start that has passed is kept, and a started override is never cut before the end of its peak. An override that
    has not started is cancelled when its fleet is `withdrawn` from the event (7.9.23). An override ends at once when
    no order of it is live, none has delivered anything, and it need not carry (`must_carry`) either.
    """
    if not override.is_live:
        return override
    mine = [o for o in orders if o.asg_name == override.asg_name and o.event_id == override.event_id]
    carries = must_carry(carried)
    anything_left = carries or any(order.needs_override for order in mine)
    own = sum(order.overriding_hosts for order in mine)
    value = override_value(base, own=own, others=sum(carried.values()), ceiling=ceiling)
    started = override.has_started(now)
    if started:
        start, peak_end = override.start, max(override.peak_end, window.peak_end)
    elif window.end <= now:
        return replace(override, status=OverrideStatus.EXPIRED, base_capacity=base, value=value)
    elif withdrawn or not anything_left:
        return replace(override, status=OverrideStatus.CANCELLED, base_capacity=base, value=value)
    else:
        start, peak_end = max(now, window.start), window.peak_end
    end = max(window.end, peak_end)
    if started and not anything_left:
        end = min(end, now)
    return replace(
        override,
        start=start,
        end=end,
        peak_end=peak_end,
        start_offset=window.start_offset,
        end_offset=window.end_offset,
        base_capacity=base,
        value=value,
        expiry_value=max(base, lower_bound or 0),
        status=_status(mine, carries, started=started, start=start, end=end, now=now),
    )


def superseded(override: Override) -> Override:
    """The override once a newer one of its ASG and event has taken its place."""
    return replace(override, status=OverrideStatus.SUPERSEDED)


def override_value(base: int, *, own: int, others: int, ceiling: int | None) -> int:
    """OverrideValue: the base, the event's own hosts (7.9.4), and those of others that its peak counts.

    The others' hosts never lift it above the ASG's MaxOverrideCapacity, and nothing above the largest count: the base
    may have grown to it since the orders were placed.
    """
    room = others if ceiling is None else max(0, ceiling - base - own)
    return min(base + own + min(others, room), MAX_COUNT)


def must_carry(carried: Mapping[str, int]) -> bool:
    """Whether an event needs an override on an ASG for the hosts it carries alone, by event.

    Those of one other event are there by that event's own override. Those of several are there together only by this
    one, because overrides combine by the maximum (7.9.13).
    """
    return len(carried) > 1


def _status(
    orders: Sequence[Order],
    carries: bool,
    *,
    started: bool,
    start: datetime,
    end: datetime,
    now: datetime,
) -> OverrideStatus:
    if end <= now:
        return OverrideStatus.EXPIRED
    if started:
        return OverrideStatus.STARTED
    if not (carries or any(order.approved_at is not None or order.fulfilled_hosts for order in orders)):
        return OverrideStatus.PROPOSED  # 7.9.6; what an override carries was approved or delivered
    return OverrideStatus.STARTED if start <= now else OverrideStatus.APPROVED

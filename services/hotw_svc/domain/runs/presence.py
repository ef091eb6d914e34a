"""How many hosts a fleet has for a peak: reported, still arriving, leaving before it (HOTW rule 3).

A delivered host is in its ASG from the later of its delivery and its override's start until that override's end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.inputs import Inputs
from services.hotw_svc.domain.instants import EARLIEST
from services.hotw_svc.domain.orders.override import OverrideStatus

INVENTORY = "inventory"
DESIRED_CAPACITY = "DesiredCapacity"


@dataclass(frozen=True, slots=True)
class Presence:
    """HostsPresentInApollo and its parts; `reported` was counted by `source` at `as_of`."""

    reported: int
    source: str
    as_of: datetime | None
    arriving: int = 0
    leaving: int = 0

    @property
    def hosts(self) -> int:
        """HostsPresentInApollo; a fleet never has fewer than none."""
        return max(0, self.reported + self.arriving - self.leaving)


@dataclass(frozen=True, slots=True)
class _Stay:
    """Delivered hosts: how many, for this event or another, and from when to when they are in their ASG."""

    hosts: int
    own: bool
    enters: datetime
    start: datetime
    end: datetime


def presence(inputs: Inputs) -> Presence:
    """The hosts by the last inventory, or without one by the ASGs' DesiredCapacity at its CapacityAsOf.

    Hosts that the inventory does not show yet count as arriving, so that none is ordered twice.
    """
    inventory = inputs.inventory
    if inventory is not None:
        reported, source, as_of = inventory.hosts_present, INVENTORY, inventory.as_of
    else:
        reported, source = inputs.fleet.desired_capacity, DESIRED_CAPACITY
        as_of = inputs.fleet.capacity_as_of or EARLIEST
    peak = inputs.event.peak_start
    arriving = leaving = 0
    for stay in _stays(inputs):
        runs_at_peak = stay.start <= peak < stay.end
        if stay.enters > as_of and (stay.own or runs_at_peak):
            arriving += stay.hosts
        elif not stay.own and stay.enters <= as_of < stay.end <= peak:
            leaving += stay.hosts
    return Presence(reported, source, None if as_of is EARLIEST else as_of, arriving, leaving)


def _stays(inputs: Inputs) -> Iterator[_Stay]:
    windows = _windows(inputs)
    for order in inputs.orders:
        own = order.event_id == inputs.event.event_id
        window = windows.get((order.event_id, order.asg_name))
        if window is None:
            if not own:
                continue
            # An event that was inactive has cancelled it. The hosts come when an override is planned to run.
            window = (inputs.event.override_window.start, inputs.event.override_window.end)
        start, end = window
        for delivery in order.deliveries:
            yield _Stay(delivery.hosts, own, max(delivery.delivered_at, start), start, end)


def _windows(inputs: Inputs) -> dict[tuple[str, str], tuple[datetime, datetime]]:
    found: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for override in sorted(inputs.overrides, key=lambda override: (override.is_live, override.start)):
        if override.status not in (OverrideStatus.SUPERSEDED, OverrideStatus.CANCELLED):
            found[override.event_id, override.asg_name] = (override.start, override.end)
    return found

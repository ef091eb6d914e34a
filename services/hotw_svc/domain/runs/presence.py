"""How many hosts a fleet has for a peak: reported, still arriving, leaving, on order (7.3.12 to 7.3.28).

A delivered host is in its ASG from the later of its delivery and its override's start until that override's end; where
another event's override carries it (docs/adr/0016), also while that one runs. Hosts of another event count for this
peak only where that event's override runs over all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.inputs import Inputs
from services.hotw_svc.domain.instants import EARLIEST
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.runs.distribution import apportion

CUSTOM_INPUT = "custom input"
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
    """Delivered hosts: how many, in which zone, and from when to when they are in.

    `counted`: they are this event's, or stay all peak. `goes`: another event's, which this peak cannot rely on.
    """

    hosts: int
    zone: str
    enters: datetime
    leaves: datetime
    counted: bool
    goes: bool


def presence(inputs: Inputs) -> Presence:
    """The hosts by a custom input, else by the last inventory, else by the ASGs' DesiredCapacity at its CapacityAsOf.

    A custom input replaces only what is reported, as of its own Timestamp (4.553).
    Hosts that the inventory does not show yet count as arriving, so that none is ordered twice. Another event's hosts
    that it shows, but that are gone before the peak ends, count as leaving, so that none is missing.
    """
    inventory, given = inputs.inventory, inputs.custom.source_of("hosts_present")
    if given is not None:
        reported, source, as_of = given.values.hosts_present or 0, CUSTOM_INPUT, given.written_at
    elif inventory is not None:
        reported, source, as_of = inventory.hosts_present, INVENTORY, inventory.as_of
    else:
        reported, source = inputs.fleet.desired_capacity, DESIRED_CAPACITY
        as_of = inputs.fleet.capacity_as_of or EARLIEST
    arriving = leaving = 0
    for _, hosts in _moves(inputs, as_of):
        arriving += max(0, hosts)
        leaving += max(0, -hosts)
    return Presence(reported, source, None if as_of is EARLIEST else as_of, arriving, leaving)


def pending_hosts(inputs: Inputs) -> int:
    """PendingEPICFMCHostOrder: what open orders have still to deliver.

    Another event's order counts if it was ever approved and its override runs over this whole peak (7.3.28).
    """
    return sum(order.outstanding_hosts for order in _pending(inputs))


def hosts_by_zone(inputs: Inputs, there: Presence) -> dict[str, int]:
    """Present and pending hosts by zone (7.14.2, 7.14.2a), zones in order.

    DesiredCapacity scaled to what is reported, evenly over the ASGs where none has any; more or fewer by what arrives,
    leaves and is pending there.
    """
    desired: dict[str, int] = {}
    asgs: dict[str, int] = {}
    for asg in inputs.fleet.asgs:
        desired[asg.zone] = desired.get(asg.zone, 0) + asg.desired_capacity
        asgs[asg.zone] = asgs.get(asg.zone, 0) + 1
    zones = sorted(asgs)
    parts = desired if any(desired.values()) else asgs
    scaled, _ = apportion(there.reported, [parts[zone] for zone in zones], [there.reported] * len(zones))
    found = dict(zip(zones, scaled, strict=True))
    moved = _moves(inputs, there.as_of or EARLIEST)
    for zone, hosts in (*moved, *((order.zone, order.outstanding_hosts) for order in _pending(inputs))):
        found[zone] = found.get(zone, 0) + hosts
    return {zone: max(0, found[zone]) for zone in sorted(found)}


def _pending(inputs: Inputs) -> Iterator[Order]:
    return (order for order in inputs.orders if order.is_open and _counts(order, inputs))


def _moves(inputs: Inputs, as_of: datetime) -> Iterator[tuple[str, int]]:
    """By zone, hosts that arrive after an instant, and (negative) those that leave before the peak ends."""
    for stay in _stays(inputs, as_of):
        if stay.enters > as_of:
            if stay.counted:
                yield stay.zone, stay.hosts
        elif stay.goes and as_of < stay.leaves:
            yield stay.zone, -stay.hosts


def _counts(order: Order, inputs: Inputs) -> bool:
    event_id = inputs.event.event_id
    if order.event_id == event_id:
        return True
    return order.approved_at is not None and inputs.shared.counts(event_id, order.asg_name, of=order.event_id)


def _stays(inputs: Inputs, as_of: datetime) -> Iterator[_Stay]:
    event, planned, shared = inputs.event, inputs.event.override_window, inputs.shared
    for order in inputs.orders:
        if not order.deliveries:
            continue
        own = order.event_id == event.event_id
        override = shared.override(order.event_id, order.asg_name)
        if override is not None:
            start, end = shared.stay(override)
            counted = own or shared.counts(event.event_id, order.asg_name, of=order.event_id)
            goes = not counted and (override.end < event.peak_end or override.start > as_of)
        elif own:  # its override was cancelled; the hosts come when the next one is planned to run
            start, end, counted, goes = planned.start, planned.end, True, False
        else:
            continue
        for delivery in order.deliveries:
            yield _Stay(delivery.hosts, order.zone, max(delivery.delivered_at, start), end, counted, goes)

"""HOTW's rules 3 to 8 worked out a second time, from the resources as they are stored, in exact fractions.

It shares no code with services/hotw_svc, and is as plain as it can be: the zone rule tries every sum. It knows one
event, and no delivery while its overrides run: what several events do to one ASG is in test_overlapping_events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

Document = Mapping[str, Any]
Formula = Any
"""A number, the name of an input, or (function, *formulas)."""
HUGE = 2**31 - 1
FIGURES = ("PeakTPM", "BAUTPM", "CTFactor", "BufferFactor", "HostThroughPutTPM", "HostsPresentInApollo", "MaxHostCount")
NEXT = {
    "Pending": {"Approve", "Reject", "Cancel", "Delay"},
    "Approved": {"Cancel", "Delay"},
    "Delayed": {"Approve", "Reject", "Cancel"},
}
STATES = {"Approve": "Approved", "Reject": "Rejected", "Cancel": "Cancelled", "Delay": "Delayed"}


class NoNeedError(Exception):
    """The need cannot be worked out."""


@dataclass
class Placed:
    """An order as the rules see it."""

    asg: str
    zone: str
    value: int
    status: str = "Pending"
    approved: bool = False
    deliveries: list[tuple[int, datetime]] = field(default_factory=list)

    @property
    def delivered(self) -> int:
        return sum(hosts for hosts, _ in self.deliveries)

    @property
    def is_live(self) -> bool:
        return self.status not in ("Rejected", "Cancelled", "Expired")

    def decide(self, decision: str) -> bool:
        """Whether the rules allow it (7.8.3 to 7.8.11)."""
        if self.status == STATES[decision]:
            return True
        if decision not in NEXT.get(self.status, ()) or (decision == "Reject" and self.approved):
            return False
        self.status, self.approved = STATES[decision], self.approved or decision == "Approve"
        return True

    def deliver(self, total: int, at: datetime) -> bool:
        """Whether the rules allow it (7.8.27 to 7.8.35)."""
        if total == self.delivered and (total or self.status in ("Approved", "Delayed")):
            return True
        if self.status not in ("Approved", "Delayed") or not self.delivered <= total <= self.value:
            return False
        self.deliveries.append((total - self.delivered, at))
        if total == self.value:
            self.status = "Fulfilled"
        return True


@dataclass
class World:
    """One fleet and its event: the resources, None where there is none, and the orders so far."""

    event: Document
    fleet: Document
    service: Document
    philosophy: Document | None = None
    exception: Document | None = None
    projection: Document | None = None
    inventory: Document | None = None
    traffic: Document | None = None
    custom_inputs: Sequence[Document] = ()
    formula: Formula | None = None
    preferred: Sequence[str] | None = None
    factors: Mapping[str, Fraction] = field(default_factory=dict)
    orders: list[Placed] = field(default_factory=list)

    @property
    def configuration(self) -> Document:
        found: Document = self.fleet["FleetConfiguration"]
        return found

    @property
    def bounds(self) -> Document:
        return self.philosophy if self.philosophy is not None else self.service.get("Philosophy", {})


@dataclass(frozen=True)
class Expected:
    """What an execution must come to; a number is None where it cannot be worked out."""

    status: str
    peak_tpm: int | None
    bau_tpm: int | None
    buffer_factor: Fraction | None
    needed: int | None = None
    required: int | None = None
    present: int | None = None
    pending: int | None = None
    total: int | None = None
    orders: tuple[tuple[str, int], ...] = ()


def value_of(formula: Formula, given: Mapping[str, Fraction]) -> Fraction:
    """The value of a formula; NoNeedError where it divides by zero or lacks an input."""
    if isinstance(formula, int | Fraction):
        return Fraction(formula)
    if isinstance(formula, str):
        if formula not in given:
            raise NoNeedError(formula)
        return given[formula]
    name, *parts = formula
    values = [value_of(part, given) for part in parts]
    if name == "/" and not values[1]:
        raise NoNeedError("zero divisor")
    results = {
        "+": lambda: values[0] + values[1],
        "-": lambda: values[0] - values[1],
        "*": lambda: values[0] * values[1],
        "/": lambda: values[0] / values[1],
        "ceil": lambda: Fraction(math.ceil(values[0])),
        "floor": lambda: Fraction(math.floor(values[0])),
        "min": lambda: min(values),
        "max": lambda: max(values),
    }
    found: Fraction = results[name]()
    return found


def expected(world: World, now: datetime) -> Expected:
    """What a run that is started and worked off ``now`` must find for the fleet."""
    given, written = _figures(world, now)
    configuration = world.configuration
    throughput = given.get("HostThroughPutTPM", _number(configuration.get("HostThroughPutTPM")))
    ct_factor = given.get("CTFactor", _number(configuration.get("CTFactor")))
    own_bau = None if world.traffic is None else _number(world.traffic.get("BAUTPM"))
    bau, buffer = given.get("BAUTPM", own_bau), given.get("BufferFactor", _buffer(world, now))
    peak = given.get("PeakTPM", _peak(world, bau, ct_factor))
    counts = {"PeakTPM": peak, "BAUTPM": bau, "HostThroughPutTPM": throughput, "CTFactor": ct_factor}
    named = {name: value for name, value in counts.items() if value is not None} | {"BufferFactor": buffer}
    read = {"peak_tpm": _whole(peak), "bau_tpm": _whole(bau), "buffer_factor": buffer}
    region = configuration["Region"]
    try:
        needed = _needed(world, named)
    except NoNeedError:
        return Expected("Fail", **read)  # type: ignore[arg-type]
    if region not in world.event["RegionList"]:
        return Expected("Fail", **read)  # type: ignore[arg-type]
    caps = (given.get("MaxHostCount", configuration.get("MaxHostCount")), world.bounds.get("MaxHosts"))
    cap = min([int(one) for one in caps if one is not None], default=None)
    floored = max(needed, world.bounds.get("MinHosts", 0))
    required = floored if cap is None else min(floored, cap)
    reported, as_of = _reported(world, given, written)
    starts = _day(world.event["PeakStartDate"]) - timedelta(days=world.event.get("StartOffset", 1))
    arriving = [(o.zone, hosts) for o in world.orders for hosts, at in o.deliveries if max(at, starts) > as_of]
    waiting = [(o.zone, o.value - o.delivered) for o in world.orders if o.is_live and o.status != "Fulfilled"]
    present, pending = reported + sum(hosts for _, hosts in arriving), sum(hosts for _, hosts in waiting)
    rooms = _rooms(world)
    total = max(0, required - present - pending)
    if world.bounds.get("ZoneFailures") and configuration["ASGProperties"]:
        most = HUGE if cap is None else cap - present - pending
        zones = _by_zone(world, reported, [*arriving, *waiting])
        total = _surviving(total, most, needed, zones, rooms, world.factors)
    shares: dict[str, int] = {}
    if total and _may_order(world, region, now):
        shares = _distributed(total, rooms, world.factors)
    ordered = sum(shares.values())
    status = "Success" if ordered == total else "PartialSuccess" if ordered else "Fail"
    return Expected(
        status,
        **read,  # type: ignore[arg-type]
        needed=needed,
        required=required,
        present=present,
        pending=pending,
        total=total,
        orders=tuple(shares.items()),
    )


def _figures(world: World, now: datetime) -> tuple[dict[str, Fraction], dict[str, datetime]]:
    """The figures of custom inputs that count, and when each was written."""
    found: dict[str, Fraction] = {}
    written: dict[str, datetime] = {}
    rank: dict[str, tuple[bool, datetime, str]] = {}
    for one in world.custom_inputs:
        if "ExpiresOn" in one and now >= _day(one["ExpiresOn"]) + timedelta(days=1):
            continue
        at = datetime.fromisoformat(one["AuditMetadata"]["Timestamp"])
        mine = ("FleetId" in one, at, one["CustomInputId"])
        for name in FIGURES:
            if name in one["Input"] and (name not in rank or mine > rank[name]):
                rank[name], written[name] = mine, at
                found[name] = Fraction(str(one["Input"][name]))
    return found, written


def _buffer(world: World, now: datetime) -> Fraction:
    exception = world.exception
    was_approved = exception is not None and exception["Status"] in ("Approved", "Expired")
    if exception is not None and was_approved and now < _day(exception["ExpiresOn"]) + timedelta(days=1):
        return Fraction(str(exception["RequestedValue"]))
    own = world.configuration.get("BufferPercentage", world.event.get("DefaultBufferPercentage", 0))
    return 1 + Fraction(str(own)) / 100


def _peak(world: World, bau: Fraction | None, ct_factor: Fraction | None) -> Fraction | None:
    for name in ("ManualOverride", "CloudTuneProjection", "TotalInputTPM"):
        if world.projection is not None and name in world.projection:
            return Fraction(world.projection[name])
    for projection in world.fleet.get("FleetProjection", ()):
        if "TotalInputTPM" in projection["TotalInputTPMProperties"]:
            return Fraction(projection["TotalInputTPMProperties"]["TotalInputTPM"])
    if bau is None or ct_factor is None:
        return None
    return Fraction(math.floor(bau * ct_factor + Fraction(1, 2)))


def _needed(world: World, given: Mapping[str, Fraction]) -> int:
    bounds = world.bounds
    strategy = bounds.get("CapacityStrategy")
    if strategy == "Fixed":
        return int(bounds["MinHosts"])
    if world.formula is not None:
        value = value_of(world.formula, given)
        if not 0 <= value <= HUGE:
            raise NoNeedError("out of bounds")
        return math.ceil(value)
    if "PeakTPM" not in given or "HostThroughPutTPM" not in given:
        raise NoNeedError("missing")
    headroom = Fraction(str(bounds.get("HeadroomPercentage", 0))) if strategy == "PerformanceBased" else 0
    exact = given["PeakTPM"] * given["BufferFactor"] * (1 + Fraction(headroom) / 100) / given["HostThroughPutTPM"]
    return math.ceil(exact)


def _reported(world: World, given: Document, written: Mapping[str, datetime]) -> tuple[int, datetime]:
    if "HostsPresentInApollo" in given:
        return int(given["HostsPresentInApollo"]), written["HostsPresentInApollo"]
    if world.inventory is not None:
        return world.inventory["HostsPresent"], datetime.fromisoformat(world.inventory["AsOf"])
    asgs = world.configuration["ASGProperties"]
    return sum(asg["DesiredCapacity"] for asg in asgs), datetime.fromisoformat(world.fleet["CapacityAsOf"])


def _may_order(world: World, region: str, now: datetime) -> bool:
    dates = world.event.get("SPCOEventDatesByRegion", {}).get(region)
    if dates and not _day(dates["SPCOStartDate"]) <= now < _day(dates["SPCOEndDate"]) + timedelta(days=1):
        return False
    return bool(world.configuration.get("EAPEnrolledStatus", True))


def _rooms(world: World) -> dict[str, tuple[str, int]]:
    """The eligible ASGs by name, each with its zone and room."""
    found = {}
    for asg in world.configuration["ASGProperties"]:
        name = asg["AutoScalingGroupName"]
        eligible = asg.get("EAPOnboardingStatus", True) if world.preferred is None else name in world.preferred
        if eligible:
            mine = [order for order in world.orders if order.asg == name]
            taken = sum(order.value if order.is_live else order.delivered for order in mine)
            room = asg.get("MaxOverrideCapacity", HUGE) - asg["DesiredCapacity"] - taken
            found[name] = (asg["AvailabilityZone"], max(0, room))
    return found


def _by_zone(world: World, reported: int, moves: Sequence[tuple[str, int]]) -> dict[str, int]:
    asgs = world.configuration["ASGProperties"]
    some = any(asg["DesiredCapacity"] for asg in asgs)
    parts: dict[str, Fraction] = {}
    for asg in asgs:
        zone = asg["AvailabilityZone"]
        parts[zone] = parts.get(zone, Fraction(0)) + (asg["DesiredCapacity"] if some else 1)
    found = _parted(reported, parts, dict.fromkeys(parts, HUGE))
    for zone, hosts in moves:
        found[zone] = found.get(zone, 0) + hosts
    return found


def _surviving(
    least: int,
    most: int,
    needed: int,
    zones: Mapping[str, int],
    rooms: Mapping[str, tuple[str, int]],
    factors: Mapping[str, Fraction],
) -> int:
    """The first sum that leaves enough without any one zone, by trying each; ``least`` where none does.

    2,000 more are enough for a need of some 200 hosts and AZ factors up to 3, if any sum is.
    """
    room = sum(room for zone, room in rooms.values() if factors.get(zone, 1))
    for total in range(least, min(max(least, most), max(least, room), least + 2_000) + 1):
        after = dict(zones)
        for name, share in _distributed(total, rooms, factors).items():
            after[rooms[name][0]] = after.get(rooms[name][0], 0) + share
        if all(sum(after.values()) - lost >= needed for lost in after.values()):
            return total
    return least


def _distributed(total: int, rooms: Mapping[str, tuple[str, int]], factors: Mapping[str, Fraction]) -> dict[str, int]:
    """Hosts by ASG, zones in order and names in order inside each."""
    by_zone: dict[str, dict[str, int]] = {}
    for name in sorted(rooms):
        zone, room = rooms[name]
        by_zone.setdefault(zone, {})[name] = room
    zones = sorted(by_zone)
    weights = {zone: Fraction(factors.get(zone, 1)) for zone in zones}
    shares = _parted(total, weights, {zone: sum(by_zone[zone].values()) for zone in zones})
    found: dict[str, int] = {}
    for zone in zones:
        found |= _parted(shares[zone], dict.fromkeys(by_zone[zone], Fraction(1)), by_zone[zone])
    return {name: share for name, share in found.items() if share}


def _parted(total: int, weights: Mapping[str, Fraction], rooms: Mapping[str, int]) -> dict[str, int]:
    """Largest remainder, ties by name; what finds no room is parted again among those that have some."""
    got = dict.fromkeys(weights, 0)
    while True:
        open_to = [name for name in sorted(weights) if weights[name] and got[name] < rooms[name]]
        if not total or not open_to:
            return got
        whole = sum(weights[name] for name in open_to)
        exact = {name: total * weights[name] / whole for name in open_to}
        parts = {name: math.floor(exact[name]) for name in open_to}
        for name in sorted(open_to, key=lambda name: parts[name] - exact[name])[: total - sum(parts.values())]:
            parts[name] += 1
        total = 0
        for name, part in parts.items():
            taken = min(part, rooms[name] - got[name])
            got[name] += taken
            total += part - taken


def _number(value: Any) -> Fraction | None:
    return None if value is None else Fraction(str(value))


def _whole(value: Fraction | None) -> int | None:
    return None if value is None else int(value)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

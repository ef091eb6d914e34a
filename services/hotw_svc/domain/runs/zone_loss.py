"""How many hosts a fleet must get so that it survives the loss of any one zone (7.14)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Final, Self

from services.hotw_svc.domain.runs.distribution import AzFactors, Site, apportion
from shared.capacity import ceil_ratio

_SLACK: Final = 4
"""By so many hosts, times the zones squared, a larger total may leave fewer hosts without a zone where rooms bind.

Hosts are spread again at most once for each full zone. So n shares differ by less than n from the exact parts that they
follow, and those by less than n² in all, for either of two totals.
"""


@dataclass(frozen=True, slots=True)
class Zones:
    """A fleet's zones in order: the hosts in each already, its weight in a distribution, and its room."""

    names: tuple[str, ...]
    hosts: tuple[int, ...]
    weights: tuple[int, ...]
    rooms: tuple[int, ...]

    @classmethod
    def of(cls, hosts: Mapping[str, int], sites: Iterable[Site], az_factors: AzFactors) -> Self:
        """The zones that have hosts or an ASG that may take some; only the latter ones have room."""
        rooms = dict.fromkeys(hosts, 0)
        for site in sites:
            rooms[site.zone] = rooms.get(site.zone, 0) + site.room
        names = tuple(sorted(rooms))
        return cls(
            names,
            tuple(hosts.get(name, 0) for name in names),
            tuple(az_factors.weight(name) for name in names),
            tuple(rooms[name] for name in names),
        )

    def left(self, total: int) -> list[int]:
        """For each zone, the hosts that are left without it once `total` more are distributed."""
        shares, _ = apportion(total, self.weights, self.rooms)
        after = [there + share for there, share in zip(self.hosts, shares, strict=True)]
        everything = sum(after)
        return [everything - one for one in after]

    @property
    def room(self) -> int:
        """How many hosts can be distributed at all."""
        return sum(compress(self.rooms, self.weights))

    def can_reach(self, needed: int) -> bool:
        """Whether enough hosts are left without any one zone when all other zones are full."""
        hosts, room = sum(self.hosts), self.room
        zones = zip(self.hosts, self.weights, self.rooms, strict=True)
        return all(hosts - there + room - (own if weight else 0) >= needed for there, weight, own in zones)


@dataclass(frozen=True, slots=True)
class Survival:
    """The sum to order. `lost` is the zone whose loss the fleet does not survive, by `short` hosts; None: none."""

    total: int
    lost: str | None = None
    short: int = 0


def survival(zones: Zones, needed: int, *, least: int, most: int) -> Survival:
    """The least sum from `least` to `most` that leaves `needed` hosts without any one zone; `least` where none does.

    There is at least one zone.
    """
    total = _least_total(zones, needed, least=least, most=min(most, zones.room))
    if total is not None:
        return Survival(total)
    left = zones.left(least)
    fewest = min(left)
    return Survival(least, zones.names[left.index(fewest)], needed - fewest)


def _least_total(zones: Zones, needed: int, *, least: int, most: int) -> int | None:
    """The first total that leaves enough hosts; None where none up to `most` does."""

    def fewest(total: int) -> int:
        return min(zones.left(total))

    if fewest(least) >= needed:
        return least
    if least >= most or not zones.can_reach(needed):
        return None
    too_few, enough = _window(zones, needed)
    if any(room < min(enough, most) for room in compress(zones.rooms, zones.weights)):
        too_few = _searched(fewest, needed - _SLACK * len(zones.names) ** 2, least, most)
    return next((total for total in range(max(least, too_few) + 1, most + 1) if fewest(total) >= needed), None)


def _window(zones: Zones, needed: int) -> tuple[int, int]:
    """A total that is too small, as are all before it, and one that is enough, where no room binds.

    A zone's share differs by less than 1 from its exact part, and so does the rest of the total.
    """
    whole, hosts = sum(zones.weights), sum(zones.hosts)
    too_few, enough = 0, 0
    for there, weight in zip(zones.hosts, zones.weights, strict=True):
        missing, others = needed - (hosts - there), whole - weight
        if missing > 0 and others:
            too_few = max(too_few, (missing - 1) * whole // others)
            enough = max(enough, ceil_ratio((missing + 1) * whole, others))
    return too_few, enough


def _searched(fewest: Callable[[int], int], limit: int, low: int, high: int) -> int:
    """The largest total found from `low` to `high` that leaves fewer than `limit`; `low` is known to be too small.

    A larger total never leaves fewer hosts by more than the limit is below the need, so this rules out all before it.
    """
    if fewest(high) < limit:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if fewest(middle) < limit:
            low = middle
        else:
            high = middle
    return low

"""How ordered hosts are spread over Availability Zones and, inside a zone, over its ASGs (HOTW rule 5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import Self

from shared.schemas.base import MAX_COUNT

UNBOUNDED = MAX_COUNT


@dataclass(frozen=True, slots=True)
class AzFactors:
    """How much of an order each zone takes, in proportion: whole weights, and the one of a zone that is not named."""

    weights: Mapping[str, int] = field(default_factory=dict)
    unnamed: int = 1

    @classmethod
    def of(cls, factors: Mapping[str, Fraction]) -> Self:
        """Exact factors ≥ 0 by zone, 1 where a zone is not named; a negative one is a ValueError."""
        for zone, factor in factors.items():
            if factor < 0:
                raise ValueError(f"the AZ factor of {zone} is negative; 0 excludes a zone")
        scale = lcm(*(factor.denominator for factor in factors.values()))
        return cls({zone: int(factor * scale) for zone, factor in factors.items()}, scale)

    def weight(self, zone: str) -> int:
        """The zone's weight; 0 excludes it."""
        return self.weights.get(zone, self.unnamed)


EVEN = AzFactors()


@dataclass(frozen=True, slots=True)
class Site:
    """An ASG that may take hosts: `room` is how many more."""

    asg_name: str
    zone: str
    room: int = UNBOUNDED


@dataclass(frozen=True, slots=True)
class Distribution:
    """Hosts by ASG (zones in order, names in order inside each, zeros left out) and by zone; what found no room."""

    by_asg: Mapping[str, int]
    by_zone: Mapping[str, int]
    full_zones: tuple[str, ...]
    shortfall: int

    @property
    def ordered(self) -> int:
        """Hosts that found room."""
        return sum(self.by_asg.values())


def apportion(hosts: int, weights: Sequence[int], rooms: Sequence[int]) -> tuple[list[int], int]:
    """Spread `hosts` over claims in proportion to their weights by largest remainder, earlier claims first on ties.

    A claim of weight 0 or without room takes no part (7.5.20, 7.5.21).
    What a claim has no room for is spread again, by the same rule, over those that still have some (7.5.22, 7.5.23).
    Answers the shares, in the claims' order, and what found no room (7.5.24).
    """
    shares = [0] * len(weights)
    takers = [i for i, weight in enumerate(weights) if weight > 0 and rooms[i] > 0]
    left = hosts
    while left and takers:
        refused = 0
        for i, share in zip(takers, _largest_remainder(left, [weights[i] for i in takers]), strict=True):
            taken = min(share, rooms[i] - shares[i])
            shares[i] += taken
            refused += share - taken
        takers = [i for i in takers if shares[i] < rooms[i]]
        left = refused
    return shares, left


def distribute(hosts: int, sites: Iterable[Site], az_factors: AzFactors = EVEN) -> Distribution:
    """Spread `hosts` over the sites' zones by their AZ factors (1 unless set, 0 excludes), evenly inside a zone.

    The sites' own order does not matter.
    """
    zones: dict[str, list[Site]] = {}
    for site in sorted(sites, key=lambda site: (site.zone, site.asg_name)):
        zones.setdefault(site.zone, []).append(site)
    names = list(zones)
    rooms = [sum(site.room for site in zones[name]) for name in names]
    weights = [az_factors.weight(name) for name in names]
    shares, shortfall = apportion(hosts, weights, rooms)
    by_asg: dict[str, int] = {}
    for name, share in zip(names, shares, strict=True):
        if share:
            by_asg.update(_inside(zones[name], share))
    return Distribution(
        by_asg=by_asg,
        by_zone={name: share for name, share in zip(names, shares, strict=True) if share},
        full_zones=tuple(
            name
            for name, share, room, weight in zip(names, shares, rooms, weights, strict=True)
            if weight and share >= room
        ),
        shortfall=shortfall,
    )


def _inside(sites: Sequence[Site], hosts: int) -> Iterable[tuple[str, int]]:
    if len(sites) == 1:
        return ((sites[0].asg_name, hosts),)
    shares, _ = apportion(hosts, [1] * len(sites), [site.room for site in sites])
    return ((site.asg_name, share) for site, share in zip(sites, shares, strict=True) if share)


def _largest_remainder(hosts: int, weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    shares = [hosts * weight // total for weight in weights]
    spare = hosts - sum(shares)
    if spare:
        by_remainder = sorted(range(len(weights)), key=lambda i: -(hosts * weights[i] % total))
        for i in by_remainder[:spare]:
            shares[i] += 1
    return shares

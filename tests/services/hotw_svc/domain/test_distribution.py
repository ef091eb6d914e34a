"""Rule 5: zones by AZ factor and largest remainder, rooms, what is spread again, even inside a zone."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.domain.runs.distribution import UNBOUNDED, AzFactors, Distribution, Site, apportion, distribute

TWO_TWO_ONE = az_factors({"a": 2, "b": 2, "c": 1})


def sites(**rooms: int | None) -> list[Site]:
    """One ASG per zone, with the room given (None: any number)."""
    return [Site(f"asg-{zone}", zone, UNBOUNDED if room is None else room) for zone, room in rooms.items()]


def test_fifty_over_two_two_one_is_twenty_twenty_ten() -> None:
    spread = distribute(50, sites(a=None, b=None, c=None), TWO_TWO_ONE)
    assert dict(spread.by_zone) == {"a": 20, "b": 20, "c": 10}
    assert dict(spread.by_asg) == {"asg-a": 20, "asg-b": 20, "asg-c": 10}
    assert (spread.ordered, spread.shortfall) == (50, 0)


def test_without_factors_every_zone_takes_the_same_and_ties_go_in_zone_order() -> None:
    assert dict(distribute(50, sites(c=None, b=None, a=None)).by_zone) == {"a": 17, "b": 17, "c": 16}


def test_the_largest_remainder_gets_the_host_that_is_over() -> None:
    spread = distribute(10, sites(a=None, b=None), az_factors({"a": 1, "b": "2.7"}))
    assert dict(spread.by_zone) == {"a": 3, "b": 7}


def test_a_zone_that_is_not_named_has_factor_one() -> None:
    assert dict(distribute(30, sites(a=None, z=None), az_factors({"a": "0.5"})).by_zone) == {"a": 10, "z": 20}


def test_factor_zero_excludes_a_zone() -> None:
    spread = distribute(10, sites(a=None, b=None), az_factors({"a": 0}))
    assert dict(spread.by_zone) == {"b": 10}


def test_a_negative_factor_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        az_factors({"a": -1})


def test_what_a_zone_has_no_room_for_goes_to_the_others_by_the_same_rule() -> None:
    spread = distribute(50, sites(a=5, b=None, c=None), TWO_TWO_ONE)
    assert dict(spread.by_zone) == {"a": 5, "b": 30, "c": 15}


def test_a_full_zone_pushes_its_whole_share_on() -> None:
    spread = distribute(50, sites(a=0, b=None, c=None), TWO_TWO_ONE)
    assert dict(spread.by_zone) == {"b": 33, "c": 17}
    assert spread.full_zones == ("a",)


def test_a_full_zone_takes_no_part_from_the_start_7_5_20() -> None:
    spread = distribute(50, sites(a=0, b=None, c=None))
    assert dict(spread.by_zone) == {"b": 25, "c": 25}


def test_a_full_asg_takes_no_part_from_the_start_7_5_21() -> None:
    spread = distribute(50, [Site("one", "a", 0), Site("three", "a"), Site("two", "a")])
    assert dict(spread.by_asg) == {"three": 25, "two": 25}


def test_it_is_spread_on_until_every_zone_is_full() -> None:
    spread = distribute(50, sites(a=5, b=22, c=4), TWO_TWO_ONE)
    assert dict(spread.by_zone) == {"a": 5, "b": 22, "c": 4}
    assert (spread.shortfall, spread.full_zones) == (19, ("a", "b", "c"))


def test_inside_a_zone_hosts_are_spread_evenly_with_ties_in_name_order() -> None:
    spread = distribute(8, [Site("two", "a"), Site("three", "a"), Site("one", "a")])
    assert dict(spread.by_asg) == {"one": 3, "three": 3, "two": 2}


def test_inside_a_zone_a_full_asg_passes_its_part_on() -> None:
    spread = distribute(9, [Site("one", "a", 1), Site("three", "a"), Site("two", "a", 3)])
    assert dict(spread.by_asg) == {"one": 1, "three": 5, "two": 3}


def test_an_asg_that_gets_nothing_is_left_out() -> None:
    assert dict(distribute(1, sites(a=None, b=None)).by_asg) == {"asg-a": 1}


def test_no_sites_means_all_is_short() -> None:
    assert distribute(7, []) == Distribution(by_asg={}, by_zone={}, full_zones=(), shortfall=7)


rooms = st.one_of(st.just(UNBOUNDED), st.integers(0, 60))
factors = st.sampled_from(["0", "0.5", "1", "1.25", "2", "3"])
zones = st.sampled_from(["a", "b", "c", "d"])
fleets = st.lists(st.tuples(zones, rooms), min_size=1, max_size=9).map(
    lambda drawn: [Site(f"asg-{number}", zone, room) for number, (zone, room) in enumerate(drawn)]
)
factor_maps = st.dictionaries(zones, factors).map(az_factors)


def room_of(zone: str, fleet: list[Site]) -> int:
    return sum(site.room for site in fleet if site.zone == zone)


@given(st.integers(0, 500), fleets, factor_maps)
def test_ordered_and_shortfall_are_the_need(need: int, fleet: list[Site], weights: AzFactors) -> None:
    spread = distribute(need, fleet, weights)
    assert spread.ordered + spread.shortfall == need
    assert sum(spread.by_zone.values()) == spread.ordered


@given(st.integers(0, 500), fleets, factor_maps)
def test_no_zone_and_no_asg_gets_more_than_its_room(need: int, fleet: list[Site], weights: AzFactors) -> None:
    spread = distribute(need, fleet, weights)
    for site in fleet:
        assert 0 <= spread.by_asg.get(site.asg_name, 0) <= site.room
    for zone, hosts in spread.by_zone.items():
        assert weights.weight(zone) > 0
        assert hosts == sum(spread.by_asg.get(site.asg_name, 0) for site in fleet if site.zone == zone)


@given(st.integers(1, 500), fleets, factor_maps)
def test_there_is_a_shortfall_only_when_every_zone_that_may_take_hosts_is_full(
    need: int, fleet: list[Site], weights: AzFactors
) -> None:
    spread = distribute(need, fleet, weights)
    usable = {site.zone for site in fleet if weights.weight(site.zone)}
    room = sum(room_of(zone, fleet) for zone in usable)
    assert spread.shortfall == max(0, need - room)
    if spread.shortfall:
        assert set(spread.full_zones) == usable


@given(st.integers(0, 500), fleets, factor_maps)
def test_what_is_full_changes_nothing_for_the_others_7_5_20(need: int, fleet: list[Site], weights: AzFactors) -> None:
    spread = distribute(need, fleet, weights)
    without = distribute(need, [site for site in fleet if site.room], weights)
    assert (spread.by_asg, spread.by_zone, spread.shortfall) == (without.by_asg, without.by_zone, without.shortfall)


@given(st.integers(0, 500), fleets, factor_maps)
def test_zones_that_keep_room_share_in_proportion_7_5_22(need: int, fleet: list[Site], weights: AzFactors) -> None:
    """A zone that is not full has its part of what any other has, but for the host of a remainder in each round."""
    spread = distribute(need, fleet, weights)
    shares = {zone: spread.by_zone.get(zone, 0) for zone in {site.zone for site in fleet} if weights.weight(zone)}
    rounds = len(shares)
    for zone, share in shares.items():
        if share < room_of(zone, fleet):
            for other, others in shares.items():
                assert (share + rounds) * weights.weight(other) >= (others - rounds) * weights.weight(zone)


@given(st.integers(0, 500), fleets, factor_maps, st.randoms(use_true_random=False))
def test_the_order_of_the_asgs_does_not_matter(
    need: int, fleet: list[Site], weights: AzFactors, shuffled: Random
) -> None:
    other = list(fleet)
    shuffled.shuffle(other)
    assert distribute(need, other, weights) == distribute(need, fleet, weights)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any))
def test_with_room_everywhere_shares_are_proportional_within_one_host(need: int, weights: list[int]) -> None:
    shares, left = apportion(need, weights, [UNBOUNDED] * len(weights))
    assert left == 0
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(need * weight, sum(weights))) < 1


@given(st.integers(0, 500), st.integers(1, 8))
def test_inside_a_zone_with_room_no_two_asgs_differ_by_more_than_one(need: int, count: int) -> None:
    spread = distribute(need, [Site(f"asg-{number}", "a") for number in range(count)])
    shares = [spread.by_asg.get(f"asg-{number}", 0) for number in range(count)]
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)

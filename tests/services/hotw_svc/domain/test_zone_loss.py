"""Rule 7.14: the least sum whose distribution leaves enough hosts without any one zone, within caps and rooms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import az_factors, philosophy_facts
from services.hotw_svc.domain.inputs import InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Delivery
from services.hotw_svc.domain.runs.distribution import EVEN, Site, distribute
from services.hotw_svc.domain.runs.execution import Execution
from services.hotw_svc.domain.runs.presence import hosts_by_zone, presence
from services.hotw_svc.domain.runs.zone_loss import Survival, Zones, survival
from shared.schemas.fleet_svc.service import CapacityStrategy
from shared.schemas.hotw_svc import FulfillmentStatus
from tests.support.hotw_inputs import NOW, SUCCESS, asg_name, asgs, fortress, order, run
from tests.support.hotw_store import philosophy_body

ON = Philosophy(zone_failures=1)
ZONES = "abcd"


def surviving(needed: int, *, asg_rooms: tuple[int | None, ...] = (None,) * 3, **others: Any) -> Execution:
    """The reference's fleet in need of so many hosts, with 30 of them in each of three zones and no cap."""
    given: dict[str, Any] = {
        "az_factors": EVEN,
        "fleet": {"asgs": asgs(*asg_rooms, desired=30), "max_host_count": None},
        "philosophy": replace(ON, strategy=CapacityStrategy.FIXED, min_hosts=needed),
        "inventory": InventoryFacts(90, NOW),
    }
    return run(**given | others)


def test_a_fleet_gets_what_the_other_zones_need_7_14_3() -> None:
    done = surviving(100)
    assert (done.status, done.needed, done.required_hosts, done.need) == (SUCCESS, 100, 100, 60)
    assert [o.value for o in done.orders] == [20, 20, 20]  # 50 in each: 100 without any
    assert "50 hosts more than that, so that it survives the loss of any one zone." in done.reasoning


def test_the_sum_is_not_under_that_of_7_4_and_off_by_default_7_14_1() -> None:
    roomy = surviving(100, inventory=InventoryFacts(450, NOW))
    assert (roomy.need, roomy.orders) == (0, ())
    assert "It survives the loss of any one zone." in roomy.reasoning
    off = run(philosophy=Philosophy())
    assert (off.need, "loss" in off.reasoning) == (50, False)
    kept = philosophy_facts(philosophy_body(ZoneFailures=1)).philosophy
    assert (kept.zone_failures, philosophy_facts(philosophy_body()).philosophy.zone_failures) == (1, 0)


def test_caps_bound_the_sum_and_what_cannot_be_reached_is_that_of_7_4_7_14_4() -> None:
    """7.14.5, 7.14.6: MaxHostCount 200 with 220 needed; 50 more leave 140 without us-east-1a or b."""
    done = run(philosophy=ON)
    assert (done.need, [o.value for o in done.orders]) == (50, [20, 20, 10])
    assert "The fleet does not survive the loss of us-east-1a, 90 short." in done.reasoning


@pytest.mark.parametrize(("cap", "expected"), [(149, 10), (150, 60), (None, 60)])
def test_the_cap_is_on_all_hosts_of_the_fleet(cap: int | None, expected: int) -> None:
    fleet = {"asgs": asgs(None, None, None, desired=30), "max_host_count": cap}
    assert surviving(100, fleet=fleet).need == expected


def test_a_zone_without_room_leaves_it_to_the_others() -> None:
    done = surviving(100, asg_rooms=(0, None, None))
    assert [(o.zone, o.value) for o in done.orders] == [("us-east-1b", 40), ("us-east-1c", 40)]
    full = surviving(100, asg_rooms=(0, 0, None))
    assert (full.need, full.orders[0].zone) == (10, "us-east-1c")
    assert "The fleet does not survive the loss of us-east-1c, 40 short." in full.reasoning


def test_hosts_by_zone_are_scaled_and_move_with_what_arrives_and_is_pending_7_14_2() -> None:
    done = {"status": FulfillmentStatus.FULFILLED, "approved_at": NOW, "deliveries": (Delivery(20, NOW),)}
    orders = (order("a", **done), order("b", value=9))
    inputs = fortress(fleet={"asgs": asgs(None, None, None, desired=50)}, orders=orders)
    assert hosts_by_zone(inputs, presence(inputs)) == {"us-east-1a": 70, "us-east-1b": 59, "us-east-1c": 50}
    unknown = replace(inputs, fleet=replace(inputs.fleet, asgs=asgs(None, None)), orders=())
    assert hosts_by_zone(unknown, presence(unknown)) == {"us-east-1a": 75, "us-east-1b": 75}


def test_a_fleet_without_an_asg_has_no_zone_to_lose() -> None:
    done = surviving(100, fleet={"asgs": (), "max_host_count": None})
    assert "loss" not in done.reasoning


def zone(name: str) -> str:
    return f"us-east-1{name}"


small = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.integers(0, 25), st.sampled_from([0, 1, 1, 2, 5])),
    max_size=4,
    min_size=1,
)


@settings(max_examples=400, deadline=None)
@given(small, st.integers(0, 80), st.integers(0, 20), st.integers(0, 90))
def test_the_sum_is_that_of_trying_every_sum(
    drawn: list[tuple[int, int | None, int]], needed: int, least: int, most: int
) -> None:
    """By `distribute` itself, so that no shortcut of the search can be wrong."""
    hosts = {zone(name): there for name, (there, _, _) in zip(ZONES, drawn, strict=False)}
    sites = [
        Site(asg_name(name), zone(name), *(() if room is None else (room,)))
        for name, (_, room, _) in zip(ZONES, drawn, strict=False)
    ]
    factors = az_factors({zone(name): weight for name, (_, _, weight) in zip(ZONES, drawn, strict=False)})
    most = max(least, most)

    def short(total: int) -> dict[str, int]:
        """By zone, how many hosts are missing without it; a sum that finds no room is none."""
        made = distribute(total, sites, factors)
        after = {name: there + made.by_zone.get(name, 0) for name, there in hosts.items()}
        return {name: needed - sum(after.values()) + there for name, there in after.items()}

    room = sum(site.room for site in sites if factors.weight(site.zone))
    reached = [total for total in range(least, min(most, room) + 1) if max(short(total).values()) <= 0]
    if not reached and max(short(least).values()) <= 0:
        reached = [least]
    found = survival(Zones.of(hosts, sites, factors), needed, least=least, most=most)
    if reached:
        assert found == Survival(reached[0])
    else:
        worst = max(short(least).values())
        assert found == Survival(least, next(name for name, missing in short(least).items() if missing == worst), worst)

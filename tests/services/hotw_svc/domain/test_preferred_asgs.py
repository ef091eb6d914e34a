"""Preferred ASGs take a fleet's hosts alone, and names that are none of its ASGs are reported and ignored."""

from __future__ import annotations

from typing import Any

from services.hotw_svc.domain.inputs import PreferredAsgs
from tests.support.hotw_inputs import FAIL, NOW, PARTIAL, SUCCESS, asg_name, asgs, run


def preferring(*names: str) -> dict[str, Any]:
    return {"preferred_asgs": PreferredAsgs(names, updated_by="jsmith", updated_at=NOW)}


def placed(**changes: Any) -> dict[str, int]:
    return {order.asg_name: order.value for order in run(**changes).orders}


def test_only_preferred_asgs_get_hosts_by_the_same_rules() -> None:
    """7.5.11, 7.5.2."""
    assert placed(**preferring(asg_name("c"), asg_name("b"))) == {asg_name("b"): 33, asg_name("c"): 17}
    assert f"Only its preferred ASGs may take hosts ({asg_name('a')})." in run(**preferring(asg_name("a"))).reasoning


def test_a_preferred_asg_needs_no_onboarding_to_eap() -> None:
    """7.5.11 comes before 7.5.12."""
    closed: dict[str, Any] = {"fleet": {"asgs": asgs(None, None, eap_onboarding_status=False)}}
    assert run(**closed).status is FAIL
    assert placed(**closed, **preferring(asg_name("b"))) == {asg_name("b"): 50}


def test_a_fleet_outside_eap_orders_nothing_whatever_is_preferred() -> None:
    """7.5.15."""
    assert run(fleet={"eap_enrolled": False}, **preferring(asg_name("a"))).status is FAIL


def test_an_unknown_preferred_name_is_reported_and_ignored() -> None:
    """7.5.13."""
    done = run(**preferring("Gone/1x", asg_name("b")))
    assert (done.status, [order.asg_name for order in done.orders]) == (SUCCESS, [asg_name("b")])
    assert (
        f"Only its preferred ASGs may take hosts ({asg_name('b')}). "
        "Preferred, but no ASG of the fleet, and so ignored: Gone/1x."
    ) in done.reasoning


def test_where_every_preferred_name_is_unknown_nothing_is_ordered_elsewhere() -> None:
    """7.5.11, 7.6.5: the preference is set, and no ASG is left."""
    done = run(**preferring("Gone/1x"))
    assert (done.status, done.orders, done.shortfall) == (FAIL, (), 50)
    assert done.reasoning.startswith("50 hosts are needed, none could be ordered: none of its 3 ASGs is preferred. ")
    assert "Preferred, but no ASG of the fleet, and so ignored: Gone/1x." in done.reasoning


def test_what_preferred_asgs_have_no_room_for_is_a_shortfall() -> None:
    """7.5.24: nothing spills over to the others."""
    done = run(fleet={"asgs": asgs(5, None)}, **preferring(asg_name("a")))
    assert (done.status, done.ordered_hosts, done.shortfall) == (PARTIAL, 5, 45)


def test_a_fleet_that_needs_no_hosts_is_not_asked_where() -> None:
    """7.6.10."""
    done = run(fleet={"max_host_count": 100}, **preferring("Gone/1x"))
    assert (done.status, "referred" in done.reasoning) == (SUCCESS, False)

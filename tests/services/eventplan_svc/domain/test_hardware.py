from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eventplan_svc.domain.facts import Hardware
from services.eventplan_svc.domain.hardware import HARDWARE_IDS, hardware_milestones
from shared.schemas.eventplan_svc import MilestoneId
from tests.support.plans import execution, hardware, order

PEAK = "2024-07-16"


def fact(*orders: dict[str, Any], run: dict[str, Any] | None = None, gap: int = 0) -> Hardware:
    return hardware(1, *orders, run=run, gap=gap)


def derived(known: Hardware, milestone_id: MilestoneId) -> tuple[str | None, str | None]:
    derivation = hardware_milestones(known, PEAK)[milestone_id]
    return derivation.status, derivation.message


def placed(known: Hardware) -> tuple[str | None, str | None]:
    return derived(known, MilestoneId.PLACE_HARDWARE_ORDER)


def approved(known: Hardware) -> tuple[str | None, str | None]:
    return derived(known, MilestoneId.HARDWARE_ORDER_APPROVAL)


def fulfilled(known: Hardware) -> tuple[str | None, str | None]:
    return derived(known, MilestoneId.HARDWARE_FULFILLMENT)


def own_message(known: Hardware) -> str | None:
    return hardware_milestones(known, PEAK)[MilestoneId.HARDWARE_ORDER].message


ZONES = (order(hosts=20, number=1), order(hosts=20, number=2), order(hosts=10, number=3))


def test_live_orders_are_ordered_via_hotw_by_their_sum() -> None:
    assert placed(fact(*ZONES)) == ("Completed", "50 hosts ordered via HOTW")


def test_the_order_milestone_names_the_newest_execution_that_ordered() -> None:
    older = order(number=1, ExecutionId=700)
    assert own_message(fact(older, order(number=2))) == "[Automated] Hardware order placed: SPCO-789"


def test_a_cap_is_named_after_the_order() -> None:
    capped = execution(Needed=220, RequiredHosts=200, CapReason="MaxHostCount")
    assert own_message(fact(*ZONES, run=capped)) == (
        "[Automated] Hardware order placed: SPCO-789 (220 needed, 200 is MaxHostCount)"
    )


def test_a_failed_execution_blocks_with_its_reasoning() -> None:
    failed = execution("Fail", Reasoning="us-west-1 is not in the RegionList of PD2024", CapacityOverrideSum=None)
    assert placed(fact(run=failed)) == ("Blocked", "us-west-1 is not in the RegionList of PD2024")
    assert approved(fact(run=failed)) == ("NotStarted", None)
    assert fulfilled(fact(run=failed)) == ("NotStarted", None)
    assert own_message(fact(run=failed)) is None


def test_a_shortfall_blocks_with_both_numbers() -> None:
    partial = execution("PartialSuccess", OrderedHosts=30, Shortfall=20)
    assert placed(fact(order(hosts=30), run=partial)) == ("Blocked", "30 of 50 hosts ordered, 20 found no room")


def test_an_open_gap_waits_for_epic_before_live_orders_count() -> None:
    assert placed(fact(*ZONES, gap=7)) == ("PendingOnEPIC", "gap of 7 hosts")


def test_with_all_orders_lost_their_hosts_are_to_be_ordered_anew() -> None:
    lost = [order("Rejected", 20, number=1, Reason="no c5 left"), order("Expired", 10, number=2, FulfilledHosts=4)]
    assert placed(fact(*lost)) == ("PendingOnEPIC", "26 hosts to be ordered anew")


def test_a_lost_order_blocks_approval_with_its_reason() -> None:
    orders = [order(number=1), order("Rejected", number=2, Reason="no c5.2xlarge left in us-east-1b")]
    assert approved(fact(*orders)) == ("Blocked", "no c5.2xlarge left in us-east-1b")
    assert placed(fact(*orders)) == ("Completed", "20 hosts ordered via HOTW")


def test_a_lost_order_without_a_reason_is_named() -> None:
    assert approved(fact(order("Expired", number=3))) == ("Blocked", "order F5-42-3 was expired")


def test_a_lost_order_counts_no_more_once_a_later_execution_made_up_for_it() -> None:
    orders = [order("Rejected", number=1, ExecutionId=700, Superseded=True), order(number=2)]
    assert approved(fact(*orders)) == ("Completed", "Order approved by AWS")


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (["Pending", "Pending"], ("PendingOnEPIC", "0 of 2 approved")),
        (["Approved", "Pending", "Fulfilled"], ("PendingOnEPIC", "2 of 3 approved")),
        (["Approved", "Fulfilled"], ("Completed", "Order approved by AWS")),
    ],
)
def test_approval_counts_the_live_orders(orders: list[str], expected: tuple[str, str]) -> None:
    assert approved(fact(*[order(status, number=n) for n, status in enumerate(orders)])) == expected


def test_a_delay_counts_as_approved_only_after_an_approval() -> None:
    assert approved(fact(order("Delayed", EverApproved=True))) == ("Completed", "Order approved by AWS")
    assert approved(fact(order("Delayed", EverApproved=False))) == ("PendingOnEPIC", "0 of 1 approved")


def test_open_orders_are_pending_of_the_live_ones() -> None:
    orders = [order("Fulfilled", number=n) for n in range(3)] + [order("Approved", number=3)]
    assert fulfilled(fact(*orders)) == ("InProgress", "1 of 4 orders pending")


@pytest.mark.parametrize(("due", "blocked"), [("2024-07-15", False), ("2024-07-16", True), ("2024-07-20", True)])
def test_an_open_order_due_only_after_the_peak_starts_blocks(due: str, blocked: bool) -> None:
    late = fact(order("Approved", FulfillmentDate=due))
    assert fulfilled(late) == (
        ("Blocked", "arrives after the peak") if blocked else ("InProgress", "1 of 1 orders pending")
    )


def test_a_delivered_order_blocks_nothing_however_late_it_was_due() -> None:
    assert fulfilled(fact(order("Fulfilled", FulfillmentDate="2024-07-20")))[0] == "Completed"


def test_all_delivered_is_completed() -> None:
    assert fulfilled(fact(order("Fulfilled", number=1), order("Fulfilled", number=2))) == (
        "Completed",
        "2 of 2 orders delivered",
    )


@pytest.mark.parametrize(
    ("incomplete", "missing"),
    [
        (fact(order("Fulfilled", number=1), order("Cancelled", 10, number=2)), 10),
        (fact(order("Fulfilled"), run=execution("PartialSuccess", OrderedHosts=20, Shortfall=30)), 30),
        (fact(order("Fulfilled"), gap=5), 5),
    ],
)
def test_all_delivered_is_not_enough_while_something_is_missing(incomplete: Hardware, missing: int) -> None:
    assert fulfilled(incomplete) == ("PendingOnEPIC", f"1 of 1 orders delivered, {missing} hosts still missing")


def test_where_nothing_is_needed_all_of_it_is_completed() -> None:
    nothing = hardware_milestones(fact(run=execution(needed=0)), PEAK)
    assert nothing[MilestoneId.HARDWARE_ORDER].message == "No hosts needed"
    for name in HARDWARE_IDS - {MilestoneId.HARDWARE_ORDER}:
        assert (nothing[name].status, nothing[name].message) == ("Completed", "No hosts needed")


def test_where_nothing_is_needed_the_message_names_no_cap() -> None:
    """6.4.33: "No hosts needed" instead."""
    capped = execution(needed=0, Needed=220, RequiredHosts=150, CapReason="MaxHostCount")
    assert own_message(fact(run=capped)) == "No hosts needed"
    assert own_message(fact(run=execution(CapReason="MaxHostCount"))) is None


def test_an_order_lost_after_nothing_was_needed_is_still_to_be_ordered_anew() -> None:
    lost = fact(order("Rejected", 50, ExecutionId=700, Reason="no"), run=execution(needed=0))
    assert placed(lost) == ("PendingOnEPIC", "50 hosts to be ordered anew")
    assert fulfilled(lost) == ("NotStarted", None)


def test_what_is_to_be_ordered_anew_is_all_that_is_missing() -> None:
    """6.4.24, 6.4.19a: undelivered hosts of lost orders and the shortfall."""
    lost = fact(order("Expired", 10, FulfilledHosts=4), run=execution(Shortfall=3))
    assert placed(lost) == ("PendingOnEPIC", "9 hosts to be ordered anew")


def test_lost_orders_that_delivered_a_part_wait_for_epic() -> None:
    """6.4.38."""
    lost = fact(order("Expired", 6, number=1, FulfilledHosts=4), order("Cancelled", 4, number=2))
    assert fulfilled(lost) == ("PendingOnEPIC", "4 of 10 hosts came, 6 still missing")
    made_up = order("Expired", 6, FulfilledHosts=4, Superseded=True)
    assert fulfilled(fact(made_up, run=execution(needed=0))) == ("Completed", "No hosts needed")
    assert fulfilled(fact(order("Expired", 10))) == ("NotStarted", None)


def test_an_open_order_goes_before_what_lost_ones_delivered() -> None:
    """6.4.34, 6.4.35: the first rule that fits decides."""
    lost = order("Expired", 10, number=1, FulfilledHosts=4)
    assert fulfilled(fact(lost, order(number=2))) == ("InProgress", "1 of 1 orders pending")
    late = order(number=2, FulfillmentDate="2024-07-16")
    assert fulfilled(fact(lost, late)) == ("Blocked", "arrives after the peak")
    came = order("Fulfilled", number=2)
    assert fulfilled(fact(lost, came)) == ("PendingOnEPIC", "1 of 1 orders delivered, 6 hosts still missing")


def test_an_outside_engine_that_published_no_order_leaves_the_hosts_to_be_ordered() -> None:
    assert placed(fact(run=execution(needed=50))) == ("PendingOnEPIC", "50 hosts to be ordered")


def test_one_host_is_not_called_hosts() -> None:
    assert placed(fact(order(hosts=1))) == ("Completed", "1 host ordered via HOTW")


def test_without_execution_and_orders_nothing_is_started() -> None:
    nothing = hardware_milestones(Hardware(1, "", None), PEAK)
    assert {name: derivation.status for name, derivation in nothing.items()} == {
        "HardwareOrder": None,
        "PlaceHardwareOrder": "NotStarted",
        "HardwareOrderApproval": "NotStarted",
        "HardwareFulfillment": "NotStarted",
    }


def partly_delivered(status: str, hosts: int, came: int, **members: Any) -> dict[str, Any]:
    """An order of which, where it may be, a part has come."""
    may_be = status in ("Approved", "Delayed", "Cancelled", "Expired")
    return order(status, hosts, **members, **({"FulfilledHosts": min(came, hosts - 1)} if may_be else {}))


ORDERS = st.lists(
    st.builds(
        partly_delivered,
        st.sampled_from(["Pending", "Approved", "Rejected", "Cancelled", "Delayed", "Fulfilled", "Expired"]),
        st.integers(1, 50),
        st.integers(0, 49),
        number=st.integers(1, 9),
        EverApproved=st.booleans(),
        Superseded=st.booleans(),
        FulfillmentDate=st.sampled_from(["2024-06-29", "2024-07-16"]),
    ),
    max_size=5,
)
EXECUTIONS = st.builds(
    execution,
    st.sampled_from(["Success", "PartialSuccess", "Fail"]),
    st.integers(0, 100),
    Shortfall=st.integers(0, 10),
)


@given(ORDERS, EXECUTIONS, st.integers(0, 3))
def test_completed_always_has_its_grounds(orders: list[dict[str, Any]], run: dict[str, Any], gap: int) -> None:
    known = fact(*orders, run=run, gap=gap)
    live = [o for o in orders if o["FulfillmentStatus"] not in ("Rejected", "Cancelled", "Expired")]
    lost = [o for o in orders if o not in live and not o["Superseded"]]
    nothing_needed = run["Status"] == "Success" and run["CapacityOverrideSum"] == 0 and not live
    if placed(known)[0] == "Completed":
        assert run["Status"] == "Success"
        assert not gap
        assert live or nothing_needed
    if approved(known)[0] == "Completed":
        assert not lost
        assert live or nothing_needed
    if fulfilled(known)[0] == "Completed":
        assert not lost
        assert not gap
        assert all(o["FulfillmentStatus"] == "Fulfilled" for o in live)
        assert live or nothing_needed


@given(ORDERS, EXECUTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_orders_does_not_matter(
    orders: list[dict[str, Any]], run: dict[str, Any], random: Any
) -> None:
    distinct = list({o["FulfillmentId"]: o for o in orders}.values())
    shuffled = random.sample(distinct, len(distinct))
    assert hardware_milestones(fact(*distinct, run=run), PEAK) == hardware_milestones(fact(*shuffled, run=run), PEAK)


def first_fit(rows: list[tuple[bool, str, str | None]]) -> tuple[str, str | None]:
    """The first row of a table whose condition holds, as 6.4 writes them."""
    return next((status, message) for condition, status, message in rows if condition)


@given(ORDERS, EXECUTIONS, st.integers(0, 3))
def test_the_three_tables_are_first_fit(orders: list[dict[str, Any]], run: dict[str, Any], gap: int) -> None:
    """6.4.19 to 6.4.40, row by row."""
    known = fact(*orders, run=run, gap=gap)
    live = [o for o in orders if o["FulfillmentStatus"] not in ("Rejected", "Cancelled", "Expired")]
    lost = [o for o in orders if o not in live and not o["Superseded"]]
    pending = [o for o in live if o["FulfillmentStatus"] != "Fulfilled"]
    late = any(o["FulfillmentDate"] >= PEAK for o in pending)
    granted = [
        o
        for o in live
        if o["FulfillmentStatus"] in ("Approved", "Fulfilled")
        or (o["FulfillmentStatus"] == "Delayed" and o["EverApproved"])
    ]
    status, total = run["Status"], run["CapacityOverrideSum"]
    nothing = status == "Success" and total == 0 and not (live or gap or lost)
    undelivered = sum(o["FulfillmentValue"] - o["FulfilledHosts"] for o in lost)
    missing = undelivered + run["Shortfall"] or gap
    came, wanted = sum(o["FulfilledHosts"] for o in lost), sum(o["FulfillmentValue"] for o in lost)
    ordered = sum(o["FulfillmentValue"] for o in live)
    partly = f"{run['OrderedHosts']} of {hosts(total)} ordered, {run['Shortfall']} found no room"
    of_lost = approved(known)[1]
    assert placed(known) == first_fit(
        [
            (status == "Fail", "Blocked", run["Reasoning"]),
            (status == "PartialSuccess", "Blocked", partly),
            (gap > 0, "PendingOnEPIC", f"gap of {hosts(gap)}"),
            (bool(live), "Completed", f"{hosts(ordered)} ordered via HOTW"),
            (bool(lost), "PendingOnEPIC", f"{hosts(missing)} to be ordered anew"),
            (nothing, "Completed", "No hosts needed"),
            (status == "Success" and total > 0 and not live, "PendingOnEPIC", f"{hosts(total)} to be ordered"),
            (True, "NotStarted", None),
        ]
    )
    assert approved(known) == first_fit(
        [
            (bool(lost), "Blocked", of_lost),
            (bool(live) and granted == live, "Completed", "Order approved by AWS"),
            (bool(live), "PendingOnEPIC", f"{len(granted)} of {len(live)} approved"),
            (nothing, "Completed", "No hosts needed"),
            (True, "NotStarted", None),
        ]
    )
    delivered = f"{len(live)} of {len(live)} orders delivered"
    assert fulfilled(known) == first_fit(
        [
            (late, "Blocked", "arrives after the peak"),
            (bool(pending), "InProgress", f"{len(pending)} of {len(live)} orders pending"),
            (bool(live) and not missing, "Completed", delivered),
            (bool(live), "PendingOnEPIC", f"{delivered}, {hosts(missing)} still missing"),
            (came > 0, "PendingOnEPIC", f"{came} of {hosts(wanted)} came, {missing} still missing"),
            (nothing, "Completed", "No hosts needed"),
            (True, "NotStarted", None),
        ]
    )


def hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"

"""A fleet's order book: what a decision, a delivery, time and the event make of it, and which facts follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson

from services.hotw_svc.app.orders.facts import book_messages
from services.hotw_svc.domain.inputs import AsgFacts, EventFacts, FleetFacts, Line, ServiceFacts
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.order_book import (
    OrderBook,
    OrderBookKey,
    OrderTotals,
    SettledUnder,
    due_at,
    order_totals,
    update_order_book,
)
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_svc import Decision, ExecutionFact, ExecutionStatus, HardwareFact, OrderType, Purpose
from shared.trace import Trace

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
EVENT = EventFacts(
    event_id="PD2024",
    version_id=2,
    peak_start_date=date(2024, 7, 16),
    peak_end_date=date(2024, 7, 17),
    region_list=("us-east-1",),
)
FLEET = FleetFacts(
    fleet_id="F",
    service_id="S",
    region="us-east-1",
    line=Line.BASE,
    version_id=5,
    asgs=(AsgFacts(name="F/1a", zone="us-east-1a", desired_capacity=50),),
)
SERVICE = ServiceFacts(service_id="S", version_id=3, service_type=ServiceType.REGISTERED)
EXECUTION = ExecutionFact(
    execution_id=9,
    run_id=5,
    order_type=OrderType.STANDARD,
    status=ExecutionStatus.SUCCESS,
    reasoning="20 hosts ordered.",
    needed=70,
    required_hosts=70,
    hosts_present_in_apollo=50,
    pending_epicfmc_host_order=0,
    capacity_override_sum=20,
    ordered_hosts=20,
    shortfall=0,
    cap_reason=None,
    created_at=NOW,
)
KEY = OrderBookKey("PD2024", "F", Purpose.UPSCALING)


def order(number: int = 1, **changes: object) -> Order:
    made = Order(
        fulfillment_id=f"F5-1-{number}",
        run_id=5,
        fleet_id="F",
        event_id="PD2024",
        asg_name="F/1a",
        zone="us-east-1a",
        order_type=OrderType.STANDARD,
        value=20,
        placed_at=NOW,
        fulfillment_date=date(2024, 6, 29),
        status_since=NOW,
        execution_id=9,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def override(**changes: object) -> Override:
    made = Override(
        run_id=5,
        fleet_id="F",
        event_id="PD2024",
        asg_name="F/1a",
        override_type=OrderType.STANDARD,
        start=datetime(2024, 7, 15, tzinfo=UTC),
        end=datetime(2024, 7, 19, tzinfo=UTC),
        peak_end=datetime(2024, 7, 18, tzinfo=UTC),
        start_offset=1,
        end_offset=1,
        base_capacity=50,
        value=50,
        expiry_value=50,
        justification="peak",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def book(
    *orders: Order, event: EventFacts = EVENT, overrides: tuple[Override, ...] | None = None, withdrawn: bool = False
) -> OrderBook:
    return OrderBook(
        key=KEY,
        service_id="S",
        event=event,
        fleet=FLEET,
        service=SERVICE,
        orders=orders,
        overrides=(override(),) if overrides is None else overrides,
        version_id=2,
        settled_under=SettledUnder(2, withdrawn),
        latest=EXECUTION,
    )


def test_an_approval_is_one_fact_and_enables_its_asg() -> None:
    before = order()
    after = decide(before, Decision.APPROVE, now=NOW, user="jsmith")
    change = update_order_book(book(before), now=NOW, changed=[after], topic="hotw.order.reviewed")
    assert change.orders == (replace(after, orders_version_id=3),)
    assert [(o.value, o.status) for o in change.overrides] == [(70, OverrideStatus.APPROVED)]
    assert change.enabled_asgs == ("F/1a",)
    assert change.after.version_id == 3
    (message,) = book_messages(change.facts, change.after, now=NOW, trace=Trace("c"), user="jsmith")
    fact = HardwareFact.model_validate_json(message.data)
    assert (fact.orders_version_id, fact.fulfillment_ids, fact.user) == (3, ["F5-1-1"], "jsmith")
    assert fact.execution is not None
    assert fact.execution.execution_id == 9
    assert message.key == "PD2024#F#Upscaling"
    assert message.id == "PD2024#F#Upscaling:3:hotw.order.reviewed"


def test_a_second_approval_enables_nothing_anew() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    delayed = decide(approved, Decision.DELAY, now=NOW, user="jsmith")
    again = decide(delayed, Decision.APPROVE, now=NOW, user="jsmith")
    assert update_order_book(book(delayed), now=NOW, changed=[again], topic="hotw.order.reviewed").enabled_asgs == ()


def test_a_delivery_is_its_own_fact() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    delivered = deliver(approved, fulfilled_hosts=20, now=NOW)
    change = update_order_book(book(approved), now=NOW, changed=[delivered], topic="hotw.fulfillment.updated")
    assert [fact.topic for fact in change.facts] == ["hotw.fulfillment.updated"]


def test_where_nothing_is_due_nothing_changes() -> None:
    change = update_order_book(book(order()), now=NOW)
    assert (change.orders, change.overrides) == ((), ())
    assert change.facts == ()
    assert change.after.version_id == 2
    assert book_messages(change.facts, change.after, now=NOW, trace=Trace("c"), user="auto") == []


def test_the_end_of_the_window_expires_orders_and_overrides_by_two_facts_in_order() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    late = datetime(2024, 7, 20, tzinfo=UTC)
    change = update_order_book(book(approved, overrides=(override(status=OverrideStatus.STARTED),)), now=late)
    assert [fact.topic for fact in change.facts] == ["hotw.order.expired", "hotw.override.expired"]
    messages = book_messages(change.facts, change.after, now=late, trace=Trace("c"), user="auto")
    bodies = [orjson.loads(message.data) for message in messages]
    assert [body["OrdersVersionId"] for body in bodies] == [3, 4]
    assert [order["FulfillmentStatus"] for order in bodies[0]["Orders"]] == ["Expired"]


def test_an_inactive_event_cancels_which_is_published_as_a_review() -> None:
    change = update_order_book(book(order(), event=replace(EVENT, is_active=False)), now=NOW)
    assert [fact.topic for fact in change.facts] == ["hotw.order.reviewed"]
    assert [o.status for o in change.overrides] == [OverrideStatus.CANCELLED]
    (message,) = book_messages(change.facts, change.after, now=NOW, trace=Trace("c"), user="auto")
    assert "WithdrawalReason" not in orjson.loads(message.data)


def test_approved_orders_left_open_get_a_fact_when_their_fleet_is_withdrawn() -> None:
    """7.9.25: notify_svc mails them to owner and leader."""
    approved = replace(decide(order(1), Decision.APPROVE, now=NOW, user="jsmith"), fulfillment_id="F5-1-9")
    off = replace(EVENT, is_active=False, version_id=3)
    change = update_order_book(book(approved, order(), event=off), now=NOW)
    cancelled, left = (
        HardwareFact.model_validate_json(one.data)
        for one in book_messages(change.facts, change.after, now=NOW, trace=Trace("c"), user="auto")
        if one.topic == "hotw.order.reviewed"
    )
    assert (cancelled.fulfillment_ids, cancelled.withdrawal_reason) == (["F5-1-1"], None)
    assert (left.fulfillment_ids, left.withdrawal_reason) == (["F5-1-9"], "PD2024 is not active.")
    assert left.orders_version_id == cancelled.orders_version_id + 1


def test_an_edit_of_an_inactive_event_gives_orders_left_open_no_second_fact() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    edited = replace(EVENT, is_active=False, version_id=4)
    assert update_order_book(book(approved, event=edited, withdrawn=True), now=NOW).facts == ()
    (fact,) = update_order_book(book(approved, event=edited), now=NOW).facts
    assert fact.withdrawal == "PD2024 is not active."


def test_a_decision_under_an_inactive_event_also_names_what_else_stays_open() -> None:
    first, second = (decide(order(n), Decision.APPROVE, now=NOW, user="jsmith") for n in (1, 2))
    dropped = decide(first, Decision.CANCEL, now=NOW, user="jsmith")
    overtaken = book(first, second, event=replace(EVENT, is_active=False, version_id=3))
    change = update_order_book(overtaken, now=NOW, changed=[dropped], topic="hotw.order.reviewed")
    assert [(fact.order_ids, fact.withdrawal) for fact in change.facts] == [
        (("F5-1-1",), None),
        (("F5-1-2",), "PD2024 is not active."),
    ]


def test_a_book_is_due_when_an_override_begins_or_ends_or_an_open_orders_window_does() -> None:
    end = datetime(2024, 7, 19, tzinfo=UTC)
    assert due_at([order()], [override()], EVENT) == end
    assert due_at([order()], [override(status=OverrideStatus.APPROVED)], EVENT) == datetime(2024, 7, 15, tzinfo=UTC)
    assert due_at([order()], [], EVENT) == end
    assert due_at([], [], EVENT) is None
    assert due_at([order()], [override()], EVENT, after=end) is None
    assert due_at([order()], [override()], EVENT, after=end - timedelta(seconds=1)) == end
    assert due_at([], [override(event_id="Other")], EVENT) is None


def test_totals_count_hosts_and_orders_of_the_event_and_purpose_alone() -> None:
    approved = decide(order(1), Decision.APPROVE, now=NOW, user="j")
    rejected = decide(order(2), Decision.REJECT, now=NOW, user="j")
    partly = deliver(approved, fulfilled_hosts=5, now=NOW)
    orders = [partly, rejected, order(3), order(4, event_id="Other"), order(5, purpose=Purpose.DESCALING)]
    assert order_totals(orders, KEY) == OrderTotals(
        live_hosts=40,
        live_orders=2,
        granted_orders=1,
        open_orders=2,
        lost_orders=1,
        approved_hosts=20,
        fulfilled_hosts=5,
    )

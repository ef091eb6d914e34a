"""A fleet's book: what a decision, a delivery, time and the event make of it, and which facts tell of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson

from services.hotw_svc.app.orders.books import Book, BookKey, SettledUnder, due_at, standing, turned
from services.hotw_svc.domain.inputs import AsgFacts, EventFacts, FleetFacts, Line
from services.hotw_svc.domain.orders.order import Decision, Order, OrderType, decide, deliver
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
EVENT = EventFacts(
    event_id="PD2024", version_id=2, peak_start_date=date(2024, 7, 16), peak_end_date=date(2024, 7, 17),
    region_list=("us-east-1",),
)  # fmt: skip
FLEET = FleetFacts(
    fleet_id="F", service_id="S", region="us-east-1", line=Line.BASE, version_id=5,
    asgs=(AsgFacts(name="F/1a", zone="us-east-1a", desired_capacity=50),),
)  # fmt: skip
EXECUTION = {
    "ExecutionId": 9, "RunId": 5, "OrderType": "Standard", "Status": "Success", "Reasoning": "20 hosts ordered.",
    "Needed": 70, "RequiredHosts": 70, "HostsPresentInApollo": 50, "PendingEPICFMCHostOrder": 0,
    "CapacityOverrideSum": 20, "OrderedHosts": 20, "Shortfall": 0, "CapReason": None, "CreatedAt": NOW,
}  # fmt: skip


def order(number: int = 1, **changes: object) -> Order:
    made = Order(
        fulfillment_id=f"F5-1-{number}", run_id=5, fleet_id="F", event_id="PD2024", asg_name="F/1a", zone="us-east-1a",
        order_type=OrderType.STANDARD, value=20, placed_at=NOW, fulfillment_date=date(2024, 6, 29), status_since=NOW,
        execution_id=9,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def override(**changes: object) -> Override:
    made = Override(
        run_id=5, fleet_id="F", event_id="PD2024", asg_name="F/1a", override_type=OrderType.STANDARD,
        start=datetime(2024, 7, 15, tzinfo=UTC), end=datetime(2024, 7, 19, tzinfo=UTC),
        peak_end=datetime(2024, 7, 18, tzinfo=UTC), start_offset=1, end_offset=1, base_capacity=50, value=50,
        expiry_value=50, justification="peak",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def book(
    *orders: Order, event: EventFacts = EVENT, overrides: tuple[Override, ...] | None = None, was_active: bool = True
) -> Book:
    return Book(
        key=BookKey("PD2024", "F", "Upscaling"), service_id="S", event=event, fleet=FLEET, orders=orders,
        overrides=(override(),) if overrides is None else overrides, orders_version_id=2,
        settled_under=SettledUnder(2, was_active), execution=EXECUTION,
    )  # fmt: skip


def test_an_approval_is_told_by_one_fact_and_enables_its_asg() -> None:
    before = order()
    after = decide(before, Decision.APPROVE, now=NOW, user="jsmith")
    entry = turned(book(before), now=NOW, changed=after, topic="hotw.order.reviewed")
    assert entry.orders == (after,)
    assert [(o.value, o.status) for o in entry.overrides] == [(70, OverrideStatus.APPROVED)]
    assert entry.enabled_asgs == ("F/1a",)
    assert entry.orders_version_id == 3
    (message,) = entry.messages(now=NOW, trace=Trace("c"), user="jsmith")
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
    assert turned(book(delayed), now=NOW, changed=again, topic="hotw.order.reviewed").enabled_asgs == ()


def test_a_delivery_is_its_own_fact() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    delivered = deliver(approved, fulfilled_hosts=20, now=NOW)
    entry = turned(book(approved), now=NOW, changed=delivered, topic="hotw.fulfillment.updated")
    assert [news.topic for news in entry.news] == ["hotw.fulfillment.updated"]


def test_nothing_due_is_no_entry() -> None:
    entry = turned(book(order()), now=NOW)
    assert not entry.changes_rows
    assert entry.news == ()
    assert entry.orders_version_id == 2
    assert entry.messages(now=NOW, trace=Trace("c"), user="auto") == []


def test_the_end_of_the_window_expires_orders_and_overrides_by_two_facts_in_order() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    late = datetime(2024, 7, 20, tzinfo=UTC)
    entry = turned(book(approved, overrides=(override(status=OverrideStatus.STARTED),)), now=late)
    assert [news.topic for news in entry.news] == ["hotw.order.expired", "hotw.override.expired"]
    bodies = [orjson.loads(message.data) for message in entry.messages(now=late, trace=Trace("c"), user="auto")]
    assert [body["OrdersVersionId"] for body in bodies] == [3, 4]
    assert [order["FulfillmentStatus"] for order in bodies[0]["Orders"]] == ["Expired"]


def test_an_inactive_event_cancels_and_says_so_as_a_review() -> None:
    entry = turned(book(order(), event=replace(EVENT, is_active=False)), now=NOW)
    assert [news.topic for news in entry.news] == ["hotw.order.reviewed"]
    assert [o.status for o in entry.overrides] == [OverrideStatus.CANCELLED]
    (message,) = entry.messages(now=NOW, trace=Trace("c"), user="auto")
    assert "EventIsActive" not in orjson.loads(message.data)


def test_the_approved_orders_an_event_leaves_open_are_told_of_when_it_stops_being_active() -> None:
    approved = replace(decide(order(1), Decision.APPROVE, now=NOW, user="jsmith"), fulfillment_id="F5-1-9")
    off = replace(EVENT, is_active=False, version_id=3)
    entry = turned(book(approved, order(), event=off), now=NOW)
    cancelled, left = (
        HardwareFact.model_validate_json(one.data)
        for one in entry.messages(now=NOW, trace=Trace("c"), user="auto")
        if one.topic == "hotw.order.reviewed"
    )
    assert (cancelled.fulfillment_ids, cancelled.event_is_active) == (["F5-1-1"], None)
    assert (left.fulfillment_ids, left.event_is_active) == (["F5-1-9"], False)
    assert left.orders_version_id == cancelled.orders_version_id + 1


def test_an_edit_of_an_event_that_is_not_active_tells_of_the_orders_left_open_no_second_time() -> None:
    approved = decide(order(), Decision.APPROVE, now=NOW, user="jsmith")
    edited = replace(EVENT, is_active=False, version_id=4)
    assert turned(book(approved, event=edited, was_active=False), now=NOW).news == ()
    assert [news.left_open for news in turned(book(approved, event=edited), now=NOW).news] == [True]


def test_a_decision_on_a_book_its_event_has_overtaken_tells_of_what_else_stays_open() -> None:
    first, second = (decide(order(n), Decision.APPROVE, now=NOW, user="jsmith") for n in (1, 2))
    dropped = decide(first, Decision.CANCEL, now=NOW, user="jsmith")
    overtaken = book(first, second, event=replace(EVENT, is_active=False, version_id=3))
    entry = turned(overtaken, now=NOW, changed=dropped, topic="hotw.order.reviewed")
    assert [(news.about, news.left_open) for news in entry.news] == [(("F5-1-1",), False), (("F5-1-2",), True)]


def test_a_book_is_due_when_an_override_begins_or_ends_or_an_open_orders_window_does() -> None:
    end = datetime(2024, 7, 19, tzinfo=UTC)
    assert due_at([order()], [override()], EVENT) == end
    assert due_at([order()], [override(status=OverrideStatus.APPROVED)], EVENT) == datetime(2024, 7, 15, tzinfo=UTC)
    assert due_at([order()], [], EVENT) == end
    assert due_at([], [], EVENT) is None
    assert due_at([order()], [override()], EVENT, after=end) is None
    assert due_at([order()], [override()], EVENT, after=end - timedelta(seconds=1)) == end
    assert due_at([], [override(event_id="Other")], EVENT) is None


def test_standing_counts_hosts_and_orders_of_the_event_and_purpose_alone() -> None:
    approved = decide(order(1), Decision.APPROVE, now=NOW, user="j")
    rejected = decide(order(2), Decision.REJECT, now=NOW, user="j")
    partly = deliver(approved, fulfilled_hosts=5, now=NOW)
    orders = [partly, rejected, order(3), order(4, event_id="Other"), order(5, purpose="Descaling")]
    assert standing(orders, event_id="PD2024", purpose="Upscaling") == {
        "CapacityOverrideSum": 40, "LiveOrders": 2, "GrantedOrders": 1, "OpenOrders": 2, "LostOrders": 1,
        "ApprovedHosts": 20, "FulfilledHosts": 5,
    }  # fmt: skip

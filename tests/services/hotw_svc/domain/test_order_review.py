"""7.8.22 to 7.8.25: what one decision makes of the orders of a book that a review names."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import OrderBook, OrderBookKey, SettledUnder
from services.hotw_svc.domain.orders.review import NamedOrder, ReviewedBook, review_book
from shared.schemas.hotw_order_reviews import ReviewOrders
from shared.schemas.hotw_svc import Decision, FulfillmentStatus, Purpose
from tests.support.hotw_inputs import NOW, fortress, order


def at(letter: str, version: int, **others: Any) -> Order:
    """An order whose last change has this number."""
    return order(letter, orders_version_id=version, **others)


def book(version: int, *orders: Order) -> OrderBook:
    """The fleet's book, whose last fact has this number."""
    inputs = fortress()
    return OrderBook(
        key=OrderBookKey(inputs.event.event_id, inputs.fleet.fleet_id, Purpose.UPSCALING),
        service_id=inputs.fleet.service_id,
        event=inputs.event,
        fleet=inputs.fleet,
        service=inputs.service,
        orders=orders,
        overrides=(),
        version_id=version,
        settled_under=SettledUnder(inputs.event.version_id),
    )


def reviewed(of: OrderBook, *named: tuple[str, int], decision: Decision = Decision.APPROVE) -> ReviewedBook:
    orders = [NamedOrder(f"F4-42-{letter}", version) for letter, version in named]
    return review_book(of, orders, decision, now=NOW, user="jsmith", reason="fine")


def test_all_named_orders_of_a_book_are_decided_as_one_change() -> None:
    of = book(2, at("a", 2), at("b", 2), at("c", 2))
    done = reviewed(of, ("a", 2), ("c", 2))
    assert (done.decided, done.skipped) == (2, ())
    assert done.change is not None
    assert [(o.status, o.reason, o.decided_by, o.orders_version_id) for o in done.change.after.orders] == [
        (FulfillmentStatus.APPROVED, "fine", "jsmith", 3),
        (FulfillmentStatus.PENDING, None, None, 2),
        (FulfillmentStatus.APPROVED, "fine", "jsmith", 3),
    ]
    [fact] = done.change.facts
    assert (fact.topic, fact.order_ids) == ("hotw.order.reviewed", ("F4-42-a", "F4-42-c"))


@pytest.mark.parametrize(
    ("seen", "decided"), [(3, 0), (4, 1), (6, 1), (7, 0)], ids=["before", "at", "later fact of the book", "not yet"]
)
def test_an_order_that_has_changed_since_is_skipped_and_named(seen: int, decided: int) -> None:
    """7.8.25: another order's change is none of this one's, and a number that no fact has is of another book."""
    of = book(6, at("a", 4), at("b", 6))
    done = reviewed(of, ("a", seen))
    assert (done.decided, len(done.skipped)) == (decided, 1 - decided)
    assert all(one.fulfillment_id == "F4-42-a" and str(seen) in one.reason for one in done.skipped)
    assert (done.change is not None) == bool(decided)


def test_what_the_decision_cannot_be_for_is_skipped_and_the_rest_is_decided() -> None:
    """7.8.10, 7.8.11"""
    approved = at("a", 1, status=FulfillmentStatus.APPROVED, approved_at=NOW)
    of = book(3, approved, at("b", 1, status=FulfillmentStatus.CANCELLED), at("c", 1))
    done = reviewed(of, ("a", 3), ("b", 3), ("c", 3), ("d", 3))
    assert done.decided == 2
    assert [(one.fulfillment_id, one.reason) for one in done.skipped] == [
        ("F4-42-b", "Order F4-42-b is Cancelled and cannot become Approved."),
        ("F4-42-d", "There is no order F4-42-d any more."),
    ]
    assert done.change is not None
    assert [o.fulfillment_id for o in done.change.orders] == ["F4-42-c"]


def test_a_decision_that_changes_nothing_writes_nothing() -> None:
    of = book(3, at("a", 1, status=FulfillmentStatus.CANCELLED))
    assert reviewed(of, ("a", 3), decision=Decision.CANCEL) == ReviewedBook(1, ())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"FulfillmentIds": []},
        {"FulfillmentIds": [{"Id": "F1-1-1"}]},
        {"FulfillmentIds": [{"Id": "F1-1-1", "OrdersVersionId": 1}, {"Id": "F1-1-1", "OrdersVersionId": 2}]},
        {"FulfillmentIds": [{"Id": "F1-1-1", "OrdersVersionId": 1}], "ExpectedCount": 1},
        {"FulfillmentIds": [{"Id": "F1-1-1", "OrdersVersionId": 1}], "Filter": {"EventId": "E"}, "ExpectedCount": 1},
        {"Filter": {"EventId": "E"}},
        {"Filter": {}, "ExpectedCount": 1},
        {"Filter": {"Status": "Pending"}, "ExpectedCount": 1},
    ],
)
def test_a_review_names_its_orders_or_filters_them_with_their_count(body: dict[str, Any]) -> None:
    """4.218"""
    with pytest.raises(ValidationError):
        ReviewOrders.model_validate({"Decision": "Approve", **body})

"""The ``hotw.*`` facts about a fleet's order book: its latest execution that counts, and all its orders.

The contract is HardwareFact (shared/schemas/hotw_svc.py). Facts of one book are numbered by ``OrdersVersionId``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import orjson

from services.hotw_svc.app.runs.run import SOURCE
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import BookFact, OrderBook, OrderBookKey
from shared.clock import iso
from shared.envelope import Message
from shared.errors import TooLarge
from shared.messaging.transport import RECORD_BYTES
from shared.trace import Trace

_MOST_WITH_NEW_ORDERS: Final = RECORD_BYTES * 3 // 4  # bytes of a fact; later decisions on its orders add to it
_MOST_WITH_REASONS: Final = RECORD_BYTES * 15 // 16  # deliveries and windows that end add little


def book_messages(
    facts: Sequence[BookFact], book: OrderBook, *, now: datetime, trace: Trace, user: str
) -> list[Message]:
    """Messages about one change of a book, alike but for topic, number and orders; the last has the book's number."""
    if not facts:
        return []
    key = fact_key(book.key)
    content = hardware_fact(book, now=now, user=user)
    messages = []
    for number, fact in enumerate(facts, start=book.version_id - len(facts) + 1):
        own = {**content, "OrdersVersionId": number, "FulfillmentIds": fact.order_ids}
        if fact.withdrawal is not None:
            own["WithdrawalReason"] = fact.withdrawal
        if fact.drift is not None:
            own["DriftReason"] = fact.drift
        if fact.since is not None:
            own["Since"] = iso(fact.since)
        name = f"{key}:{number}:{fact.topic}"
        messages.append(Message(fact.topic, fact.topic, key, orjson.dumps(own), SOURCE, now, trace, id=name))
    return messages


def fact_key(key: OrderBookKey) -> str:
    """The message key of all facts about a book."""
    return f"{key.event_id}#{key.fleet_id}#{key.purpose}"


def hardware_fact(book: OrderBook, *, now: datetime, user: str) -> dict[str, Any]:
    """The content of a fact that names no orders yet. Members without a value are left out."""
    key = book.key
    fact: dict[str, Any] = {
        "EventId": key.event_id,
        "FleetId": key.fleet_id,
        "ServiceId": book.service_id,
        "Purpose": key.purpose,
        "OrdersVersionId": book.version_id,
        "OccurredAt": iso(now),
        "FulfillmentIds": (),
        "Orders": [
            _order(o, book.event.peak_start_date)
            for o in book.orders
            if o.event_id == key.event_id and o.purpose == key.purpose
        ],
        "Gap": book.gap.hosts,
        "User": user,
    }
    if book.latest is not None:
        fact["RunId"] = book.latest.run_id
        fact["Execution"] = book.latest.wire()
    return fact


def refuse_too_large(facts: Iterable[Message], *, ordering: bool) -> None:
    """TooLarge when a fact leaves no room for later ones; ``ordering`` keeps room for the decisions to come.

    A fact holds all orders of its fleet and event, and one that no message can hold would never be published.
    """
    most = _MOST_WITH_NEW_ORDERS if ordering else _MOST_WITH_REASONS
    size = max((len(fact.data) for fact in facts), default=0)
    if size > most:
        remedy = "order with fewer ASGs, or divide the fleet" if ordering else "give a shorter reason"
        raise TooLarge(
            f"The fact about the fleet's orders would have {size} bytes, and {most} are the most: {remedy}.",
            title="Too many orders for one fact",
        )


def _order(order: Order, peak_start: date) -> dict[str, Any]:
    members = {
        "FulfillmentId": order.fulfillment_id,
        "ExecutionId": order.execution_id,
        "RunId": order.run_id,
        "AutoScalingGroupName": order.asg_name,
        "FulfillmentType": order.order_type,
        "FulfillmentStatus": order.status,
        "EverApproved": order.approved_at is not None,
        "FulfillmentValue": order.value,
        "FulfilledHosts": order.fulfilled_hosts,
        "FulfillmentDate": order.fulfillment_date.isoformat(),
        "Superseded": order.superseded,
        "Late": order.is_late(peak_start),
    }
    if order.zone:
        members["AvailabilityZone"] = order.zone
    if order.reason is not None:
        members["Reason"] = order.reason
    if order.link is not None:
        members["FulfillmentLink"] = order.link
    if order.approval_rule is not None:
        members["ApprovalRule"] = order.approval_rule
    return members

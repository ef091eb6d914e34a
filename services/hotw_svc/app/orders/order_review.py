"""A review of many orders as its use cases know it, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.hotw_svc.domain.orders.order_book import OrderBookKey
from services.hotw_svc.domain.orders.review import NamedOrder, SkippedOrder
from shared.clock import iso
from shared.schemas.hotw_order_reviews import ReviewStatus
from shared.schemas.hotw_svc import Decision, Purpose
from shared.trace import Trace

SHOWN: Final = 500  # skipped orders that a review is shown with; the list of all has pages


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """Where an order is stored, and the number of the fact at its last change."""

    fulfillment_id: str
    orders_version_id: int
    event_index_id: int
    fleet_index_id: int
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrderReview:
    """A review that is about to be accepted; its facts are caused by ``trace``."""

    decision: Decision
    reason: str | None
    user: str
    created_at: datetime
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReview(NewOrderReview):
    """A review and its progress: how many orders it named, and how many are decided or skipped by now."""

    review_id: int
    orders: int
    decided: int
    skipped: int
    ended_at: datetime | None

    @property
    def status(self) -> ReviewStatus:
        return ReviewStatus.RUNNING if self.ended_at is None else ReviewStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class BookToReview:
    """The orders of one book that a review has still to decide."""

    key: OrderBookKey
    orders: tuple[NamedOrder, ...]


def skipped_view(skipped: SkippedOrder) -> dict[str, Any]:
    return {"FulfillmentId": skipped.fulfillment_id, "Reason": skipped.reason}


def review_view(review: OrderReview, skipped: Sequence[SkippedOrder]) -> dict[str, Any]:
    """The review as it is read, with the first of its skipped orders."""
    return {
        "ReviewId": review.review_id,
        "ReviewStatus": review.status,
        "Decision": review.decision,
        "Reason": review.reason,
        "User": review.user,
        "Orders": review.orders,
        "Decided": review.decided,
        "Skipped": review.skipped,
        "SkippedOrders": [skipped_view(one) for one in skipped],
        "CreatedAt": iso(review.created_at),
        "EndedAt": None if review.ended_at is None else iso(review.ended_at),
    }

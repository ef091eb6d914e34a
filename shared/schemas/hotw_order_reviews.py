"""The contracts of a review: one decision about many orders at once (7.8.22 to 7.8.25)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from shared.schemas.base import CommandBody, Count, Id, Instant, Name, PositiveCount, Text, WireModel, broken_rule
from shared.schemas.hotw_svc import Decision, FulfillmentStatus


class SeenOrder(WireModel):
    """An order, and the OrdersVersionId at which the caller saw it."""

    id: Name
    orders_version_id: PositiveCount


class OrderFilter(WireModel):
    """The orders that fit each member given; EventId or FleetId is."""

    event_id: Id | None = None
    fleet_id: Id | None = None
    status: FulfillmentStatus | None = None

    @model_validator(mode="after")
    def _is_of_an_event_or_a_fleet(self) -> Self:
        if self.event_id is None and self.fleet_id is None:
            raise broken_rule("EventId", "give EventId or FleetId, or both")
        return self


class ReviewOrders(CommandBody):
    """``POST /hotw/order/review``: one decision about the orders that are named, or that a filter finds now.

    ``ExpectedCount`` goes with ``Filter``: how many orders the caller expects it to fit.
    """

    fulfillment_ids: list[SeenOrder] | None = Field(default=None, min_length=1)
    filter: OrderFilter | None = None
    expected_count: Count | None = None
    decision: Decision
    reason: Text | None = None

    @model_validator(mode="after")
    def _names_each_order_once(self) -> Self:
        if (self.fulfillment_ids is None) == (self.filter is None):
            raise broken_rule("FulfillmentIds", "give either FulfillmentIds or Filter")
        if (self.filter is None) != (self.expected_count is None):
            raise broken_rule("ExpectedCount", "give it with Filter, and only with Filter")
        ids = [seen.id for seen in self.fulfillment_ids or ()]
        if len(ids) != len(set(ids)):
            raise broken_rule("FulfillmentIds", "name each order once")
        return self


class ReviewStatus(StrEnum):
    RUNNING = "Running"
    COMPLETED = "Completed"


class SkippedOrderView(WireModel):
    """An order that a review left as it was."""

    fulfillment_id: Name
    reason: str


class OrderReviewView(WireModel):
    """A review and its progress. ``SkippedOrders`` are the first 500; ``…/skipped`` lists all."""

    review_id: PositiveCount
    review_status: ReviewStatus
    decision: Decision
    reason: str | None
    user: Name
    orders: Count
    decided: Count = Field(description="Orders that are as decided, those included that were so before.")
    skipped: Count
    skipped_orders: list[SkippedOrderView]
    created_at: Instant
    ended_at: Instant | None

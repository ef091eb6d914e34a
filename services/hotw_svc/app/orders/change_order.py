"""Use cases: decide on an order, and record its deliveries (HOTW rule 8); its ASG's override follows (rule 9)."""

from __future__ import annotations

from collections.abc import Callable

from services.hotw_svc.app.orders.facts import book_messages, refuse_too_large
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order import Order, decide, deliver
from services.hotw_svc.domain.orders.order_book import update_order_book
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import ReportDelivery, ReviewOrder


async def review_order(command: ReviewOrder, cause: Cause, *, store: Store) -> View:
    """The order after the decision. NotFound; Conflict for a transition the rule does not know.

    TooLarge when its reason would make the fleet's facts too large to publish.
    """

    def rule(order: Order) -> Order:
        return decide(
            order,
            command.decision,
            now=cause.now,
            user=user_of(cause.user),
            reason=command.reason or cause.message,
            fulfillment_date=command.fulfillment_date,
            link=command.fulfillment_link,
        )

    return await _change(command.fulfillment_id, rule, "hotw.order.reviewed", cause, store, bounded=True)


async def report_delivery(command: ReportDelivery, cause: Cause, *, store: Store) -> View:
    """The order after the delivery. NotFound; BadInput for the future; Conflict for a total that cannot be."""

    def rule(order: Order) -> Order:
        hosts, since = command.fulfilled_hosts, command.delivered_at
        return deliver(order, fulfilled_hosts=hosts, now=cause.now, delivered_at=since)

    return await _change(command.fulfillment_id, rule, "hotw.fulfillment.updated", cause, store, bounded=False)


async def _change(
    fulfillment_id: str, rule: Callable[[Order], Order], topic: str, cause: Cause, store: Store, *, bounded: bool
) -> View:
    """Applies the rule, once per cause. ``bounded``: facts that would leave no room for later ones are refused."""

    async def change(unit: Unit) -> View:
        book = await unit.order_books.of_order(fulfillment_id)
        if book is None:
            raise NotFound(f"there is no order {fulfillment_id}")
        before = book.order(fulfillment_id)
        after = rule(before)
        if after is not before:
            changed = update_order_book(book, now=cause.now, changed=[after], topic=topic)
            await unit.order_books.write([changed])
            user = user_of(cause.user)
            facts = book_messages(changed.facts, changed.after, now=cause.now, trace=cause.trace, user=user)
            if bounded:
                refuse_too_large(facts, ordering=False)
            await unit.work.emit(facts)
            after = changed.after.order(fulfillment_id)
        return unit.order_books.view(after)

    return await store.run_once(cause, "FulfillmentId", change)

"""Use case: decide on an order (HOTW rule 8); its ASG's override follows at once (rule 9)."""

from __future__ import annotations

from services.hotw_svc.app.orders.facts import change_messages, refuse_too_large
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order import decide
from services.hotw_svc.domain.orders.order_book import update_order_book
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import ReviewOrder


async def review_order(command: ReviewOrder, cause: Cause, *, store: Store) -> View:
    """The order after the decision. NotFound; Conflict for a transition the rule does not know.

    TooLarge when its reason would make the fleet's facts too large to publish.
    """

    async def review(unit: Unit) -> View:
        book = await unit.order_books.of_order(command.fulfillment_id)
        if book is None:
            raise NotFound(f"there is no order {command.fulfillment_id}")
        before, user = book.order(command.fulfillment_id), user_of(cause.user)
        after = decide(
            before,
            command.decision,
            now=cause.now,
            user=user,
            reason=command.reason or cause.message,
            fulfillment_date=command.fulfillment_date,
        )
        if after is not before:
            change = update_order_book(book, now=cause.now, changed=after, topic="hotw.order.reviewed")
            await unit.order_books.write([change])
            facts = change_messages(change, now=cause.now, trace=cause.trace, user=user)
            refuse_too_large(facts, ordering=False)
            await unit.emit(facts)
            after = change.after.order(after.fulfillment_id)
        return unit.order_books.view(after)

    return await store.run_once(cause, "FulfillmentId", review)

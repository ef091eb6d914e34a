"""Use case: decide on an order (HOTW rule 8); its ASG's override follows at once (rule 9)."""

from __future__ import annotations

from typing import Any

from services.hotw_svc.app.orders.books import refuse_too_large, turned
from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.refusals import ruled
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order import Decision, decide
from services.hotw_svc.domain.rows import order_columns, wire
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import ReviewOrder

__all__ = ["review_order"]


async def review_order(store: Store, command: ReviewOrder, cause: Cause) -> dict[str, Any]:
    """The order after the decision. NotFound; Conflict for a transition the rule does not know.

    TooLarge when its reason would make the fleet's facts too large to be told.
    """

    async def review(unit: Unit) -> dict[str, Any]:
        book = await unit.book_of_order(command.fulfillment_id)
        if book is None:
            raise NotFound(f"there is no order {command.fulfillment_id}")
        before = book.order(command.fulfillment_id)
        with ruled():
            after = decide(
                before,
                Decision(command.decision.value),
                now=cause.now,
                user=user_of(cause.user),
                reason=command.reason or cause.message,
                fulfillment_date=command.fulfillment_date,
            )
        if after is not before:
            entry = turned(book, now=cause.now, changed=after, topic="hotw.order.reviewed")
            await unit.write_entries([entry])
            facts = entry.messages(now=cause.now, trace=cause.trace, user=user_of(cause.user))
            refuse_too_large(facts, ordering=False)
            await unit.emit(facts)
            after = next(o for o in entry.all_orders if o.fulfillment_id == after.fulfillment_id)
        return wire(order_columns(after))

    answer, _ = await store.run_once(cause, review)
    return answer

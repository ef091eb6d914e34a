"""Use case: take note of how many hosts of an order have been delivered (HOTW rule 8)."""

from __future__ import annotations

from typing import Any

from services.hotw_svc.app.orders.books import turned
from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.refusals import ruled
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order import deliver
from services.hotw_svc.domain.rows import order_columns, wire
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import ReportDelivery

__all__ = ["report_delivery"]


async def report_delivery(store: Store, command: ReportDelivery, cause: Cause) -> dict[str, Any]:
    """The order after the delivery. NotFound; BadInput for the future; Conflict for a total that cannot be."""

    async def report(unit: Unit) -> dict[str, Any]:
        book = await unit.book_of_order(command.fulfillment_id)
        if book is None:
            raise NotFound(f"there is no order {command.fulfillment_id}")
        before = book.order(command.fulfillment_id)
        with ruled():
            after = deliver(
                before,
                fulfilled_hosts=command.fulfilled_hosts,
                now=cause.now,
                delivered_at=command.delivered_at,
            )
        if after is not before:
            entry = turned(book, now=cause.now, changed=after, topic="hotw.fulfillment.updated")
            await unit.write_entries([entry])
            await unit.emit(entry.messages(now=cause.now, trace=cause.trace, user=user_of(cause.user)))
            after = next(o for o in entry.all_orders if o.fulfillment_id == after.fulfillment_id)
        return wire(order_columns(after))

    answer, _ = await store.run_once(cause, report)
    return answer

"""Use case: record how many hosts of an order have been delivered (HOTW rule 8)."""

from __future__ import annotations

from services.hotw_svc.app.orders.facts import change_messages
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order import deliver
from services.hotw_svc.domain.orders.order_book import update_order_book
from shared.cause import Cause
from shared.errors import NotFound
from shared.schemas.hotw_svc import ReportDelivery


async def report_delivery(command: ReportDelivery, cause: Cause, *, store: Store) -> View:
    """The order after the delivery. NotFound; BadInput for the future; Conflict for a total that cannot be."""

    async def report(unit: Unit) -> View:
        book = await unit.order_books.of_order(command.fulfillment_id)
        if book is None:
            raise NotFound(f"there is no order {command.fulfillment_id}")
        before = book.order(command.fulfillment_id)
        after = deliver(
            before, fulfilled_hosts=command.fulfilled_hosts, now=cause.now, delivered_at=command.delivered_at
        )
        if after is not before:
            change = update_order_book(book, now=cause.now, changed=after, topic="hotw.fulfillment.updated")
            await unit.order_books.write([change])
            await unit.emit(change_messages(change, now=cause.now, trace=cause.trace, user=user_of(cause.user)))
            after = change.after.order(after.fulfillment_id)
        return unit.order_books.view(after)

    return await store.run_once(cause, "FulfillmentId", report)

"""Use case: one decision about many orders. It is accepted at once and worked off in chunks (7.8.22 to 7.8.25).

Accepting fixes the orders. A chunk is some order books with all of their named orders. It is decided in one transaction
that also takes them off the review's list. So each order is decided once whoever dies, and several processes may share
the work. A review of one chunk is decided while it is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.hotw_svc.app.orders.facts import book_messages, refuse_too_large
from services.hotw_svc.app.orders.order_review import (
    SHOWN,
    BookToReview,
    NewOrderReview,
    OrderReview,
    StoredOrder,
    review_view,
)
from services.hotw_svc.app.ports import Store, Unit, View
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order_book import OrderBook
from services.hotw_svc.domain.orders.review import NamedOrder, ReviewedBook, SkippedOrder, review_book
from shared.cause import Cause
from shared.clock import Clock
from shared.envelope import Message
from shared.errors import Conflict, TooLarge
from shared.jobs import Worker
from shared.schemas.hotw_order_reviews import OrderFilter, ReviewOrders

CHUNK: Final = 50  # books whose fleets' rows one transaction locks, so that another decision waits only for moments


async def review_orders(
    command: ReviewOrders, cause: Cause, *, store: Store, clock: Clock, wake: Callable[[], None]
) -> View:
    """The review, once per cause: Completed where it is of one chunk, else Running.

    Conflict where the filter fits another number of orders than the caller expected.
    """

    async def accept(unit: Unit) -> View:
        found, unknown = await _resolved(unit, command)
        new = NewOrderReview(
            decision=command.decision,
            reason=command.reason or cause.message,
            user=user_of(cause.user),
            created_at=cause.now,
            trace=cause.trace,
        )
        review_id = await unit.order_reviews.start(new, found, unknown)
        if len({(one.event_index_id, one.fleet_index_id, one.purpose) for one in found}) <= CHUNK:
            while await _work_chunk(unit, review_id, clock):
                pass
            await unit.order_reviews.complete(review_id, clock.now())
        review = await unit.order_reviews.get(review_id)
        return View("ReviewId", review_view(review, await unit.order_reviews.skipped(review_id, limit=SHOWN)))

    view = await store.run_once(cause, "ReviewId", accept)
    wake()
    return view


def review_worker(store: Store, clock: Clock, *, poll: float = 1.0) -> Worker:
    """Works off the reviews that were accepted. ``poll`` is how often it looks for those of other processes, in s."""

    async def work() -> bool:
        """A chunk of each review; whether there is more to do at once."""
        more = False
        for review_id in await store.read(lambda unit: unit.order_reviews.running()):
            more |= await work_review(store, clock, review_id)
        return more

    return Worker("order reviews", work, poll=poll)


async def work_review(store: Store, clock: Clock, review_id: int) -> bool:
    """Decides a chunk; whether there was one. A review with no orders left is completed, unless others work on it."""

    async def work(unit: Unit) -> bool:
        if await _work_chunk(unit, review_id, clock):
            return True
        await unit.order_reviews.complete(review_id, clock.now())
        return False

    return await store.write(work)


async def _resolved(unit: Unit, command: ReviewOrders) -> tuple[list[StoredOrder], list[SkippedOrder]]:
    """The orders that are meant, each at the number it was seen at, and those that there are none of."""
    if command.fulfillment_ids is None:
        return await _matching(unit, command.filter or OrderFilter(), command.expected_count or 0), []
    seen = {named.id: named.orders_version_id for named in command.fulfillment_ids}
    found = await unit.order_reviews.find(list(seen))
    unknown = sorted(seen.keys() - {one.fulfillment_id for one in found})
    return (
        [replace(one, orders_version_id=seen[one.fulfillment_id]) for one in found],
        [SkippedOrder(name, f"There is no order {name}.") for name in unknown],
    )


async def _matching(unit: Unit, where: OrderFilter, expected: int) -> list[StoredOrder]:
    found = await unit.order_reviews.matching(where, limit=expected + 1)
    if len(found) == expected:
        return found
    count = len(found) if len(found) < expected else await unit.order_reviews.count(where)
    raise Conflict(f"The filter fits {count} orders, and ExpectedCount is {expected}.", slug="order-count")


async def _work_chunk(unit: Unit, review_id: int, clock: Clock) -> bool:
    taken = await unit.order_reviews.take(review_id, CHUNK)
    if not taken:
        return False
    review, now = await unit.order_reviews.get(review_id), clock.now()
    books = {book.key: book for book in await unit.order_books.get([one.key for one in taken])}
    results = [_decided(books.get(one.key), one, review, now) for one in taken]
    await unit.order_books.write([result.change for result, _ in results if result.change is not None])
    await unit.work.emit([message for _, messages in results for message in messages])
    skipped = [one for result, _ in results for one in result.skipped]
    await unit.order_reviews.progress(review_id, sum(result.decided for result, _ in results), skipped)
    return True


def _decided(
    book: OrderBook | None, taken: BookToReview, review: OrderReview, now: datetime
) -> tuple[ReviewedBook, Sequence[Message]]:
    """What becomes of a book, and its facts. All of its orders are skipped where no message could hold the facts."""
    if book is None:
        return _skipped(taken.orders, "Its fleet takes no part in the event any more."), ()
    result = review_book(book, taken.orders, review.decision, now=now, user=review.user, reason=review.reason)
    if result.change is None:
        return result, ()
    change = result.change
    facts = book_messages(change.facts, change.after, now=now, trace=review.trace, user=review.user)
    try:
        refuse_too_large(facts, ordering=False)
    except TooLarge as refusal:
        return _skipped(taken.orders, refusal.detail), ()
    return result, facts


def _skipped(orders: Sequence[NamedOrder], reason: str) -> ReviewedBook:
    return ReviewedBook(0, tuple(SkippedOrder(order.fulfillment_id, reason) for order in orders))

"""What became of a fleet's need, orders and gap for an event, day by day."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from services.hotw_svc.domain.instants import end_of
from services.hotw_svc.domain.orders.order import Order


class Moment(NamedTuple):
    """A number from an instant on."""

    at: datetime
    hosts: int


@dataclass(frozen=True, slots=True)
class Day:
    """The numbers just before a day's 24:00, in hosts. ``needed`` is None while no execution has worked it out."""

    day: date
    needed: int | None
    ordered: int
    approved: int
    delivered: int
    gap: int


def days(*, needed: Sequence[Moment], orders: Sequence[Order], gaps: Sequence[Moment], last: date) -> Iterator[Day]:
    """Each day from the first on which there was anything, to the last one.

    ``needed`` and ``gaps`` are in the order of their instants; ``orders`` are as they are now.
    """
    begun = [*(moment.at for moment in needed[:1]), *(moment.at for moment in gaps[:1])]
    begun += [order.placed_at for order in orders]
    if not begun:
        return
    day = min(begun).date()
    while day <= last:
        end = end_of(day)
        yield Day(
            day,
            needed=_before(end, needed),
            ordered=sum(order.value for order in orders if _is_live(order, end)),
            approved=sum(order.value for order in orders if _is_live(order, end) and _is_approved(order, end)),
            delivered=sum(one.hosts for order in orders for one in order.deliveries if one.delivered_at < end),
            gap=_before(end, gaps) or 0,
        )
        day += timedelta(days=1)


def _before(end: datetime, moments: Sequence[Moment]) -> int | None:
    """The number that held just before an instant; None before the first."""
    place = bisect_left(moments, end, key=lambda moment: moment.at)
    return moments[place - 1].hosts if place else None


def _is_live(order: Order, end: datetime) -> bool:
    dead = not order.is_live and order.status_since is not None and order.status_since < end
    return order.placed_at < end and not dead


def _is_approved(order: Order, end: datetime) -> bool:
    return order.approved_at is not None and order.approved_at < end

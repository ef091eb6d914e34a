"""Use case: compare what groups have with what was asked for; what differs twice has drifted (7.9.26)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from services.hotw_svc.app.orders.facts import book_messages
from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.app.providers.provider import GroupName, Provider
from services.hotw_svc.app.providers.rows import ProviderGroup
from services.hotw_svc.app.runs.run import AUTO
from services.hotw_svc.domain.orders.order_book import BookFact, OrderBookKey, update_order_book
from services.hotw_svc.domain.providers.actions import (
    actions_of,
    drift_of,
    is_at_rest,
    own_sizes,
    still_to_run,
    without_present,
)
from services.hotw_svc.domain.providers.curve import combined_curve
from shared.clock import Clock
from shared.durability.lease import Leases
from shared.errors import Unavailable
from shared.schemas.hotw_svc import Purpose
from shared.trace import Trace, new_id

LOOK_EVERY: Final = 60.0  # seconds between two looks at a group; AWS itself may take a minute over an action
_GROUPS: Final = 50  # of a pass, so that the lease is never held for longer than it lasts
_LEASE: Final = "hotw provider looks"
_LEASE_SECONDS: Final = 600.0  # fifty groups whose requests all time out take less
_LOOKS: Final = 2  # consecutive ones that find another capacity

log = structlog.get_logger(__name__)


async def look_at_groups(
    *, store: Store, leases: Leases, provider: Provider, clock: Clock, repair: bool, every: float = LOOK_EVERY
) -> int:
    """Looks at the groups that were not looked at for ``every`` seconds; how many. One process at a time does it.

    The second consecutive look that finds a difference publishes ``hotw.override.drifted``, once until the group is as
    asked again. ``repair``: the group is asked for again as well. A provider that does not answer is not a difference.
    """
    lease = await leases.claim(_LEASE, new_id(), _LEASE_SECONDS)
    if lease is None:
        return 0
    try:
        groups = await store.write(lambda unit: unit.provider_groups.claim_looks(_GROUPS, every))
        for group in groups:
            try:
                await _look(store, provider, clock, group, repair)
            except Unavailable as error:
                log.warning("a group was not looked at", group=group.name, fleet=group.fleet_id, error=str(error))
                break
        return len(groups)
    finally:
        await leases.release(lease)


async def _look(store: Store, provider: Provider, clock: Clock, group: ProviderGroup, repair: bool) -> None:
    now = clock.now()
    if is_at_rest(group.asked, now):
        await store.write(lambda unit: unit.provider_groups.leave(group))
        return
    actions = actions_of(group.name, combined_curve(group.overrides), own_sizes(group.asg, group.found))
    wanted = still_to_run(actions, group.asked, now)
    if any(action not in group.asked for action in wanted):  # the fleet's own sizes changed, or its ASG's bound
        await store.write(lambda unit: unit.provider_groups.ask_again(group, group.asked))
        return
    drift = drift_of(await provider.read_back(GroupName(group.region, group.name)), group.asked, now)
    drifts = 0 if drift is None else group.drifts + 1

    async def keep(unit: Unit) -> None:
        await unit.provider_groups.drifted(group, drifts)
        if drift is None or drifts < _LOOKS:
            return
        if drifts == _LOOKS:
            await _publish(unit, clock, group, drift)
        if repair:
            await unit.provider_groups.ask_again(group, without_present(group.asked, now))

    await store.write(keep)


async def _publish(unit: Unit, clock: Clock, group: ProviderGroup, drift: str) -> None:
    """The fact is one of the order book whose event caused the latest of what was asked for."""
    now = clock.now()
    begun = [action for action in group.asked if action.at <= now] or list(group.asked)
    key = OrderBookKey(begun[-1].event_id, group.fleet_id, Purpose.UPSCALING)
    for book in await unit.order_books.get([key]):
        orders = (o for o in book.orders if o.event_id == key.event_id and o.asg_name == group.name)
        ids = tuple(order.fulfillment_id for order in orders)
        fact = BookFact("hotw.override.drifted", ids, drift=f"{group.name}: {drift}")
        change = update_order_book(replace(book, version_id=book.version_id + 1), now=now)
        change = replace(change, facts=(fact, *change.facts))
        await unit.order_books.write([change])
        await unit.work.emit(book_messages(change.facts, change.after, now=now, trace=Trace.begin(), user=AUTO))

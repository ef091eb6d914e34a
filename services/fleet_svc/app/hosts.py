"""Use cases about a fleet's hosts: inventories as they are reported, and orders as hotw_svc publishes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog

from services.fleet_svc.app.fleets import ORDERS_VERSION, Fleets
from services.fleet_svc.domain.hosts import counted, order_status
from shared.cause import Cause
from shared.documents import Document, OutgoingEvent, State, Written
from shared.errors import NotFound
from shared.schemas.fleet_svc.fleet import HostInventory, InventoryReported, ReportInventory
from shared.schemas.hotw_svc import HardwareFact, Purpose
from shared.tasks import for_each

log = structlog.get_logger(__name__)

_CONCURRENT_FLEETS: Final = 32  # more gain nothing: the store commits that many writes together
_REPORTED: Final = "fleet.inventory.reported"


async def report_inventory(command: ReportInventory, cause: Cause, *, fleets: Fleets) -> Written:
    """Keeps how many hosts a fleet has at ``AsOf`` (now unless given); a report that is not newer is ignored.

    Makes no version and disturbs no If-Match. BadInput for an AsOf after now, NotFound for an unknown fleet.
    """

    def reported(base: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
        last = base.side.get("HostInventory")
        report = counted(None if last is None else HostInventory.model_validate(last), command, cause.now)
        if report is None:
            return None
        inventory = report.wire()
        data = InventoryReported.model_validate({"FleetId": base.key, **inventory}).wire()
        event = OutgoingEvent(_REPORTED, base.key, f"{base.key}:{inventory['AsOf']}:{_REPORTED}", data)
        return {**base.side, "HostInventory": inventory}, (event,)

    return await fleets.bases.amend(command.fleet_id, reported, cause)


async def on_orders_changed(facts: Sequence[tuple[HardwareFact, Cause]], *, fleets: Fleets) -> None:
    """Keeps the orders of each fleet and event; a fact that is older than the known one changes nothing.

    The facts of a fleet are written together. Those of a fleet that does not exist are dropped.
    """
    by_fleet: dict[str, list[tuple[HardwareFact, Cause]]] = {}
    for fact, cause in facts:
        if fact.purpose is Purpose.UPSCALING:
            by_fleet.setdefault(fact.fleet_id, []).append((fact, cause))
    await for_each(list(by_fleet.values()), partial(_keep_orders, fleets=fleets), at_once=_CONCURRENT_FLEETS)


async def _keep_orders(facts: Sequence[tuple[HardwareFact, Cause]], *, fleets: Fleets) -> None:
    fact, cause = facts[-1]

    def kept(base: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
        before: list[State] = base.side.get("HostOrderStatuses", [])
        by_event = {orders["EventId"]: orders for orders in before}
        for fact, _ in facts:
            known = by_event.get(fact.event_id)
            if known is None or known[ORDERS_VERSION] < fact.orders_version_id:
                by_event[fact.event_id] = {**order_status(fact).wire(), ORDERS_VERSION: fact.orders_version_id}
        after: list[Any] = [by_event[event_id] for event_id in sorted(by_event)]
        return None if after == before else ({**base.side, "HostOrderStatuses": after}, ())

    try:
        await fleets.bases.amend(fact.fleet_id, kept, cause)
    except NotFound:
        log.info("orders of a fleet that does not exist", fleet_id=fact.fleet_id)

"""Owns the message side of fleets: the commands of fleet.commands, and the facts about orders that are noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from services.fleet_svc.app import (
    Fleets,
    Line,
    change_fleet,
    change_fleet_for_event,
    create_fleet,
    delete_fleet,
    note_host_orders,
    report_inventory,
)
from shared.clock import Clock
from shared.messaging.subscription import Answered, Command, Received, Subscription, bulk
from shared.resources import answered, expected_version, unconditional
from shared.schemas.fleet_svc import CreateFleet, DeleteFleet, ReportInventory, UpdateFleet
from shared.schemas.hotw_svc import HardwareFact
from shared.web import parse_if_match, reason_of

__all__ = ["fleet_commands", "host_orders"]

_ORDER_FACTS: Final = (
    "hotw.order.placed", "hotw.order.reviewed", "hotw.order.expired", "hotw.fulfillment.updated"
)  # fmt: skip


def fleet_commands(fleets: Fleets, clock: Clock) -> Mapping[str, Command]:
    """The commands about fleets, by ``ce_type``."""

    async def create(received: Received) -> Answered:
        reason_of(received.body)
        return _told(await create_fleet(fleets, received.body, received.cause(clock)))

    async def change(received: Received) -> Answered:
        reason_of(received.body)
        asked, cause = cast("UpdateFleet", received.data), received.cause(clock)
        if asked.event_id is None:
            expected = expected_version(received)
            return _told(await change_fleet(fleets, asked.fleet_id, received.body, cause, expected))
        if_match = parse_if_match(received.message.if_match)
        return _told(
            await change_fleet_for_event(fleets, asked.fleet_id, asked.event_id, received.body, cause, if_match)
        )

    async def delete(received: Received) -> Answered:
        reason_of(received.body)
        asked, expected = cast("DeleteFleet", received.data), expected_version(received)
        return answered(await delete_fleet(fleets, asked.fleet_id, received.cause(clock), expected))

    async def report(received: Received) -> Answered:
        reason_of(received.body)
        unconditional(received)
        asked = cast("ReportInventory", received.data)
        return _told(await report_inventory(fleets, asked.fleet_id, received.body, received.cause(clock)))

    return {
        "CreateFleet": Command(CreateFleet, create),
        "UpdateFleet": Command(UpdateFleet, change),
        "DeleteFleet": Command(DeleteFleet, delete),
        "ReportInventory": Command(ReportInventory, report),
    }


def host_orders(fleets: Fleets, clock: Clock) -> Subscription:
    """What keeps HostOrderStatuses; a batch is written fleet by fleet."""

    async def noted(batch: Sequence[Received]) -> None:
        await note_host_orders(
            fleets, [(cast("HardwareFact", received.data), received.cause(clock)) for received in batch]
        )

    return Subscription("fleet_svc.host-orders", _ORDER_FACTS, bulk(noted))


def _told(line: Line) -> Answered:
    return Answered(line.document.key, line.document.version)

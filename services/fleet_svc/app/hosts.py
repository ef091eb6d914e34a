"""Owns what is noted of a fleet's hosts: inventories as people or systems report them, orders as HOTW tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from services.fleet_svc.app.fleets import Fleets, Line
from services.fleet_svc.domain.hosts import note_inventory, note_orders
from shared.cause import Cause
from shared.documents.contract import Document, OutgoingEvent, State
from shared.errors import NotFound
from shared.resources.states import given_fields, validated, with_keys
from shared.schemas.fleet_svc import InventoryReported, ReportInventory
from shared.schemas.hotw_svc import HardwareFact, Purpose

__all__ = ["note_host_orders", "report_inventory"]

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 32
_REPORTED: Final = "fleet.inventory.reported"


async def report_inventory(fleets: Fleets, fleet_id: str, body: Mapping[str, Any], cause: Cause) -> Line:
    """Notes how many hosts a fleet has at ``AsOf`` (now unless given); one not newer than the known is ignored.

    Makes no version and disturbs no If-Match. BadInput for an AsOf after now, NotFound for an unknown fleet.
    """
    asked = with_keys(body, {"FleetId": fleet_id})
    inventory = validated(ReportInventory, given_fields(ReportInventory, asked))

    def noted(base: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
        side = note_inventory(base.side, inventory, cause.now)
        if side is None:
            return None
        known = side["HostInventory"]
        told = InventoryReported.model_validate({"FleetId": fleet_id, **known}).wire()
        return side, (OutgoingEvent(_REPORTED, fleet_id, f"{fleet_id}:{known['AsOf']}:{_REPORTED}", told),)

    return Line((await fleets.bases.amend(fleet_id, noted, cause)).document)


async def note_host_orders(fleets: Fleets, facts: Sequence[tuple[HardwareFact, Cause]]) -> None:
    """Notes what is ordered for each fleet and event; facts older than what is known change nothing.

    A fleet's facts are written together. Those of a fleet that is no longer there are of no use to anyone.
    """
    by_fleet: dict[str, list[tuple[HardwareFact, Cause]]] = {}
    for fact, cause in facts:
        if fact.purpose is Purpose.UPSCALING:
            by_fleet.setdefault(fact.fleet_id, []).append((fact, cause))
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(fleet_id: str, told: list[tuple[HardwareFact, Cause]]) -> None:
        async with slots:
            await _note(fleets, fleet_id, told)

    async with asyncio.TaskGroup() as tasks:
        for fleet_id, told in by_fleet.items():
            tasks.create_task(one(fleet_id, told))


async def _note(fleets: Fleets, fleet_id: str, told: list[tuple[HardwareFact, Cause]]) -> None:
    def noted(base: Document) -> tuple[State, tuple[OutgoingEvent, ...]] | None:
        side = base.side
        for fact, _ in told:
            side = note_orders(side, fact) or side
        return None if side == base.side else (side, ())

    try:
        await fleets.bases.amend(fleet_id, noted, told[-1][1])
    except NotFound:
        log.info("orders of a fleet that is not there", fleet_id=fleet_id)

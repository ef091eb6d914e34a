"""Owns how the inputs of many fleets are read at once, in a handful of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import snapshots
from services.hotw_svc.adapters.inputs.replicas import fleet_lines, service_facts_of, snapshots_of
from services.hotw_svc.adapters.orders import order_rows as ledger
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.app.ports import Loaded
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, Inputs, Line, RunFacts, ServiceFacts
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.runs.distribution import AzFactors

__all__ = ["load"]

Rows = Mapping[str, Row[Any]]


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows of some fleets' inputs, by their keys."""

    numbers: Mapping[str, int]
    lines: Mapping[str, tuple[Row[Any] | None, Row[Any] | None]]
    services: Rows
    projections: Rows
    inventories: Rows
    orders: Mapping[str, tuple[Order, ...]]
    overrides: Mapping[str, tuple[Override, ...]]
    parsed: dict[str, ServiceFacts | None] = field(default_factory=dict)

    def service_of(self, fleet_id: str) -> str:
        """The fleet's ServiceId; nothing where neither line is known."""
        row = next((row for row in self.lines[fleet_id] if row is not None), None)
        return "" if row is None else str(row.ServiceId)

    def service(self, service_id: str) -> ServiceFacts | None:
        if service_id in self.services and service_id not in self.parsed:
            self.parsed[service_id] = service_facts_of(self.services[service_id])
        return self.parsed.get(service_id)


async def load(
    connection: AsyncConnection, run: Run, fleet_ids: Sequence[str], event: EventFacts, az_factors: AzFactors
) -> list[Loaded]:
    """The inputs of each fleet, in the order given; one that cannot be read says why, the others are read."""
    known = await _known(connection, run, fleet_ids)
    facts = RunFacts(run_id=run.run_id, order_type=run.order_type, user=run.user, purpose=run.purpose)
    found = []
    for fleet_id in fleet_ids:
        base, _ = known.lines[fleet_id]
        gone = base is None or bool(base.Deleted)
        inputs = partial(
            Inputs,
            run=facts,
            fleet_index_id=known.numbers[fleet_id],
            event=event,
            orders=known.orders.get(fleet_id, ()),
            overrides=known.overrides.get(fleet_id, ()),
            az_factors=az_factors,
        )
        try:
            found.append(Loaded(fleet_id, inputs(**_read(fleet_id, event.event_id, known)), gone))
        except (ValueError, KeyError, TypeError) as error:
            unread = FleetFacts(
                fleet_id=fleet_id, service_id=known.service_of(fleet_id), region="", line=Line.BASE, version_id=0
            )
            fault = f"What is known of {fleet_id} cannot be read: {error!r}."
            found.append(Loaded(fleet_id, inputs(fleet=unread, service=None), gone, fault))
    return found


async def _known(connection: AsyncConnection, run: Run, fleet_ids: Sequence[str]) -> _Known:
    numbers = await index_ids(connection, t.fleet_index, fleet_ids)
    names = {number: fleet_id for fleet_id, number in numbers.items()}
    lines = await fleet_lines(connection, fleet_ids, run.event_id)
    services = {str(row.ServiceId) for pair in lines.values() for row in pair if row is not None}
    return _Known(
        numbers=numbers,
        lines=lines,
        services=await snapshots_of(connection, t.service_replica, services),
        projections=await snapshots_of(
            connection, t.projection_replica, [_projection_id(fleet_id, run.event_id) for fleet_id in fleet_ids]
        ),
        inventories=await snapshots_of(connection, t.inventory_replica, fleet_ids),
        orders=await ledger.orders_of(connection, names, run.purpose),
        overrides=await ledger.overrides_of(connection, names, run.purpose),
    )


def _read(fleet_id: str, event_id: str, known: _Known) -> dict[str, Any]:
    base, line = known.lines[fleet_id]
    projection = known.projections.get(_projection_id(fleet_id, event_id))
    inventory = known.inventories.get(fleet_id)
    fleet = snapshots.fleet_facts(base=_body(base), event_line=_body(line))
    return {
        "fleet": fleet,
        "service": known.service(fleet.service_id),
        "projection": (
            None if projection is None or projection.Deleted else snapshots.projection_facts(_body(projection))
        ),
        "inventory": None if inventory is None else snapshots.inventory_facts(_body(inventory)),
    }


def _projection_id(fleet_id: str, event_id: str) -> str:
    return f"{fleet_id}#{event_id}#Peak"


def _body(row: Row[Any] | None) -> Any:
    return None if row is None else orjson.loads(row.Snapshot)

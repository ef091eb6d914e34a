"""What an execution works from, read for many fleets in a handful of statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import facts, read_models
from services.hotw_svc.adapters.inputs.preferred_asgs import preferred_asgs_of
from services.hotw_svc.adapters.inputs.read_models import (
    BAU_TRAFFIC,
    CUSTOM_FORMULAS,
    EXCEPTIONS,
    FLEETS,
    INVENTORIES,
    PHILOSOPHIES,
    PROJECTIONS,
    READ_MODELS,
    SERVICES,
    exception_key,
    projection_key,
    state_of,
)
from services.hotw_svc.adapters.orders import order_rows
from services.hotw_svc.adapters.orders.dashboard_rows import overtake_books
from services.hotw_svc.adapters.orders.gap_rows import mark_gaps
from services.hotw_svc.adapters.rows import index_ids
from services.hotw_svc.app.ports import InputKind, LoadedInputs
from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import CustomInputFacts
from services.hotw_svc.domain.inputs import (
    EventFacts,
    FleetFacts,
    Inputs,
    Line,
    PhilosophyFacts,
    PreferredAsgs,
    RunFacts,
    ServiceFacts,
)
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, Window
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.durability.read_model import Snapshot, State
from shared.relational import slices
from shared.schemas.fleet_svc.service import ServiceType
from shared.schemas.hotw_svc import Purpose

T = TypeVar("T")
_Rows = Mapping[str, Row[Any]]


class InputReadModels:
    """What other services own, in one transaction. ``az_factors`` are the region's, as configured."""

    def __init__(self, connection: AsyncConnection, az_factors: AzFactors) -> None:
        self._connection = connection
        self._az_factors = az_factors

    async def put(self, kind: InputKind, snapshots: Sequence[Snapshot]) -> set[str]:
        """Stores what is newer than what is stored. New ids get their numbers, and new fleets their lock.

        A fleet or service whose membership of events changed makes its order books due. The gaps that changed inputs
        concern are marked, to be checked again.
        """
        connection, keys = self._connection, [key for key, _, _ in snapshots]
        before = await read_models.memberships(connection, kind, keys)
        concerned = await self._former_scopes(kind, keys)
        stored = await READ_MODELS[kind].put(connection, snapshots)
        states = [state for key, _, state in snapshots if key in stored]
        if kind is InputKind.EVENT:
            await index_ids(connection, t.event_index, [state["EventId"] for state in states])
        elif kind in (InputKind.SERVICE, InputKind.FLEET):
            await index_ids(connection, t.service_index, [state["ServiceId"] for state in states])
        if kind is InputKind.FLEET:
            await _make_locks(connection, [state["FleetId"] for state in states])
        after = await read_models.memberships(connection, kind, keys)
        changed = {key for key, now in after.items() if before.get(key, read_models.UNKNOWN.get(kind, now)) != now}
        if changed:
            fleets = await read_models.fleets_of(connection, changed) if kind is InputKind.SERVICE else changed
            await overtake_books(connection, fleets)
        if kind is not InputKind.PLAN:
            await mark_gaps(connection, [*states, *concerned])
        return changed

    async def _former_scopes(self, kind: InputKind, keys: Sequence[str]) -> list[State]:
        """The inputs that may concern other fleets from now on, as they are stored."""
        if kind is not InputKind.CUSTOM_INPUT:
            return []
        return [state_of(row) for row in (await READ_MODELS[kind].rows(self._connection, keys)).values()]

    async def event(self, event_id: str, *, deleted_too: bool = False) -> EventFacts | None:
        return await read_models.event(self._connection, event_id, deleted_too=deleted_too)

    async def unknown_fleets(self, fleet_ids: Sequence[str]) -> list[str]:
        rows = await FLEETS.rows(self._connection, fleet_ids)
        return [name for name in dict.fromkeys(fleet_ids) if name not in rows or rows[name].Deleted]

    async def service_types(self, service_ids: Sequence[str]) -> dict[str, ServiceType]:
        service = SERVICES.table
        found: dict[str, ServiceType] = {}
        for some in slices(list(dict.fromkeys(service_ids))):
            query = select(service.c.Key, service.c.ServiceType).where(service.c.Key.in_(some), SERVICES.is_present)
            found.update((key, ServiceType(of)) for key, of in await self._connection.execute(query))
        return found

    async def load(self, run: RunFacts, fleet_ids: Sequence[str], event: EventFacts) -> list[LoadedInputs]:
        """A fleet whose inputs cannot be read has the fault; the others are read."""
        known = await _known(self._connection, run, event.event_id, fleet_ids)
        rules = await read_models.approval_rules(self._connection)
        loaded = []
        for fleet_id in fleet_ids:
            base, _ = known.lines[fleet_id]
            gone = base is None or bool(base.Deleted)
            inputs = partial(
                Inputs,
                run=run,
                fleet_index_id=known.numbers[fleet_id],
                event=event,
                orders=known.orders.get(fleet_id, ()),
                overrides=known.overrides.get(fleet_id, ()),
                descales=known.descales.get(fleet_id, ()),
                windows=known.windows,
                az_factors=self._az_factors,
                preferred_asgs=known.preferred_asgs.get(known.numbers[fleet_id]),
                approval_rules=rules,
            )
            try:
                loaded.append(LoadedInputs(fleet_id, inputs(**_read(fleet_id, event.event_id, known)), gone))
            except (ValueError, KeyError, TypeError) as error:
                unread = FleetFacts(
                    fleet_id=fleet_id, service_id=known.service_of(fleet_id), region="", line=Line.BASE, version_id=0
                )
                fault = f"What is known of {fleet_id} cannot be read: {error!r}."
                loaded.append(LoadedInputs(fleet_id, inputs(fleet=unread, service=None), gone, fault))
        return loaded


async def _make_locks(connection: AsyncConnection, fleet_ids: Sequence[str]) -> None:
    """Gives each fleet its number and its lock, where it has none yet."""
    fleets = sorted(await index_ids(connection, t.fleet_index, fleet_ids))
    lock = t.fleet_lock
    present = (await connection.execute(select(lock.c.FleetId).where(lock.c.FleetId.in_(fleets)))).scalars()
    missing = [{"FleetId": fleet, "Fence": 0, "Revision": 0} for fleet in sorted({*fleets} - {*present})]
    if missing:
        await connection.execute(insert(lock), missing)


class _Shared(Generic[T]):
    """Resources that several fleets share, each read once; None where there is none, or it was deleted."""

    def __init__(self, rows: _Rows, read: Callable[[Any], T]) -> None:
        self._rows = rows
        self._read = read
        self._found: dict[str, T] = {}

    def get(self, key: str) -> T | None:
        row = self._rows.get(key)
        if _is_present(row) and key not in self._found:
            self._found[key] = self._read(state_of(row))
        return self._found.get(key)


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows of some fleets' inputs, by their keys."""

    numbers: Mapping[str, int]
    lines: Mapping[str, tuple[Row[Any] | None, Row[Any] | None]]
    services: _Shared[ServiceFacts]
    philosophies: _Shared[PhilosophyFacts]
    formulas: _Shared[FormulaFacts]
    exceptions: _Rows
    projections: _Rows
    inventories: _Rows
    bau_traffic: _Rows
    custom_inputs: Mapping[str, tuple[CustomInputFacts, ...]]
    orders: Mapping[str, tuple[Order, ...]]
    overrides: Mapping[str, tuple[Override, ...]]
    descales: Mapping[str, tuple[Override, ...]]
    windows: Mapping[str, Window]
    preferred_asgs: Mapping[int, PreferredAsgs]

    def service_of(self, fleet_id: str) -> str:
        """The fleet's ServiceId; empty where neither line is known."""
        row = next((row for row in self.lines[fleet_id] if row is not None), None)
        return "" if row is None else str(row.ServiceId)


async def _known(connection: AsyncConnection, run: RunFacts, event_id: str, fleet_ids: Sequence[str]) -> _Known:
    events = await index_ids(connection, t.event_index, [event_id])
    numbers = await index_ids(connection, t.fleet_index, fleet_ids)
    names = {number: fleet_id for fleet_id, number in numbers.items()}
    lines = await read_models.fleet_lines(connection, fleet_ids, event_id)
    services = {str(row.ServiceId) for pair in lines.values() for row in pair if row is not None}
    exceptions = [exception_key(fleet_id, event_id) for fleet_id in fleet_ids]
    projections = [projection_key(fleet_id, event_id) for fleet_id in fleet_ids]
    overrides = await order_rows.overrides_of(connection, names, Purpose.UPSCALING)
    descaling = run.purpose is Purpose.DESCALING
    return _Known(
        numbers=numbers,
        lines=lines,
        services=_Shared(await SERVICES.rows(connection, services), facts.service_facts),
        philosophies=_Shared(await PHILOSOPHIES.rows(connection, services), facts.philosophy_facts),
        formulas=_Shared(await CUSTOM_FORMULAS.rows(connection, services), facts.formula_facts),
        exceptions=await EXCEPTIONS.rows(connection, exceptions),
        projections=await PROJECTIONS.rows(connection, projections),
        inventories=await INVENTORIES.rows(connection, fleet_ids),
        bau_traffic=await BAU_TRAFFIC.rows(connection, fleet_ids),
        custom_inputs=await read_models.custom_inputs(connection, event_id, fleet_ids),
        orders=await order_rows.orders_of(connection, names, Purpose.UPSCALING),
        overrides=overrides,
        descales=await order_rows.overrides_of(connection, names, Purpose.DESCALING) if descaling else {},
        windows=await read_models.override_windows(connection, order_rows.other_events(overrides, event_id)),
        preferred_asgs=await preferred_asgs_of(connection, events[event_id], list(names)),
    )


def _read(fleet_id: str, event_id: str, known: _Known) -> dict[str, Any]:
    base, line = known.lines[fleet_id]
    projection = known.projections.get(projection_key(fleet_id, event_id))
    exception = known.exceptions.get(exception_key(fleet_id, event_id))
    inventory = known.inventories.get(fleet_id)
    bau_traffic = known.bau_traffic.get(fleet_id)
    fleet = facts.fleet_facts(base=state_of(base), event_line=state_of(line))
    return {
        "fleet": fleet,
        "service": known.services.get(fleet.service_id),
        "philosophy_facts": known.philosophies.get(fleet.service_id),
        "exception": facts.exception_facts(state_of(exception)) if _is_present(exception) else None,
        "projection": facts.projection_facts(state_of(projection)) if _is_present(projection) else None,
        "inventory": None if inventory is None else facts.inventory_facts(state_of(inventory)),
        "bau_traffic": None if bau_traffic is None else facts.bau_traffic_facts(state_of(bau_traffic)),
        "custom_inputs": known.custom_inputs.get(fleet_id, ()),
        "formula": known.formulas.get(fleet.service_id),
    }


def _is_present(row: Row[Any] | None) -> bool:
    """Whether there is such a resource, and it was not deleted."""
    return row is not None and not row.Deleted

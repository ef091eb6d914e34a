"""What executions worked from, kept by value to be replayed: canonical JSON, once per hash (7.3.2 to 7.3.4).

What many fleets share (the event, their service) is a text of its own, and so is the fleet, which seldom changes. The
text of the rest names these by their hashes, and an execution names that text. Two facts of hotw_run and
hotw_execution complete it: the run, and the execution's instant (CreatedAt).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Final, TypeVar

import orjson
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.app.runs.run import Run
from services.hotw_svc.domain.custom_formula import FormulaFacts
from services.hotw_svc.domain.custom_inputs import CustomInputFacts
from services.hotw_svc.domain.inputs import (
    BAUTrafficFacts,
    EventFacts,
    ExceptionFacts,
    FleetFacts,
    Inputs,
    InventoryFacts,
    PhilosophyFacts,
    PreferredAsgs,
    ProjectionFacts,
    RunFacts,
    ServiceFacts,
)
from services.hotw_svc.domain.orders.approval import ApprovalRule
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, Window
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.relational import insert_rows, slices

T = TypeVar("T")
_HASH_BYTES: Final = 16  # of billions of texts, no two have the same hash


@dataclass(frozen=True, slots=True)
class OfEvent:
    """What all fleets of a run have in common; `windows` are those that one chunk of it needs."""

    event: EventFacts
    windows: Mapping[str, Window]
    az_factors: AzFactors
    approval_rules: tuple[ApprovalRule, ...]


@dataclass(frozen=True, slots=True)
class OfService:
    """What all fleets of a service have in common."""

    service: ServiceFacts | None
    philosophy_facts: PhilosophyFacts | None
    formula: FormulaFacts | None


@dataclass(frozen=True, slots=True)
class OfFleet:
    """What changes from run to run; `event`, `service` and `fleet` are the hashes of those parts."""

    event: str
    service: str
    fleet: str
    exception: ExceptionFacts | None
    projection: ProjectionFacts | None
    inventory: InventoryFacts | None
    bau_traffic: BAUTrafficFacts | None
    custom_inputs: tuple[CustomInputFacts, ...]
    preferred_asgs: PreferredAsgs | None
    orders: tuple[Order, ...]
    overrides: tuple[Override, ...]
    descales: tuple[Override, ...]


_EVENT: Final = TypeAdapter(OfEvent)
_SERVICE: Final = TypeAdapter(OfService)
_FLEET: Final = TypeAdapter(FleetFacts)
_REST: Final = TypeAdapter(OfFleet)


@dataclass(slots=True)
class KeptTexts:
    """The texts of some executions' inputs, by hash. What they share is written once."""

    texts: dict[str, str] = field(default_factory=dict)
    _shared: dict[tuple[int, ...], str] = field(default_factory=dict)

    def keep(self, inputs: Inputs) -> str:
        """The hash that stands for all inputs but the run. ``inputs`` must live as long as this does."""
        event = (inputs.event, inputs.windows, inputs.az_factors, inputs.approval_rules)
        service = (inputs.service, inputs.philosophy_facts, inputs.formula)
        rest = OfFleet(
            event=self._once(event, OfEvent),
            service=self._once(service, OfService),
            fleet=self._put(inputs.fleet),
            exception=inputs.exception,
            projection=inputs.projection,
            inventory=inputs.inventory,
            bau_traffic=inputs.bau_traffic,
            custom_inputs=inputs.custom_inputs,
            preferred_asgs=inputs.preferred_asgs,
            orders=inputs.orders,
            overrides=inputs.overrides,
            descales=inputs.descales,
        )
        return self._put(rest)

    def _once(self, members: tuple[Any, ...], part: type[Any]) -> str:
        """The hash of a part whose members are the same objects for many fleets."""
        key = tuple(map(id, members))
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._put(part(*members))
        return found

    def _put(self, part: Any) -> str:
        text = orjson.dumps(part, default=_plain, option=orjson.OPT_SORT_KEYS)
        name = blake2b(text, digest_size=_HASH_BYTES).hexdigest()
        self.texts[name] = text.decode()
        return name


def restored(name: str, texts: Mapping[str, str], *, run: RunFacts, fleet_index_id: int) -> Inputs:
    """The inputs that ``KeptTexts.keep`` answered the hash for, as they were. KeyError where a text is missing."""
    rest = _REST.validate_json(texts[name])
    event, service = _EVENT.validate_json(texts[rest.event]), _SERVICE.validate_json(texts[rest.service])
    return Inputs(
        run=run,
        fleet_index_id=fleet_index_id,
        event=event.event,
        fleet=_FLEET.validate_json(texts[rest.fleet]),
        service=service.service,
        philosophy_facts=service.philosophy_facts,
        exception=rest.exception,
        projection=rest.projection,
        inventory=rest.inventory,
        bau_traffic=rest.bau_traffic,
        orders=rest.orders,
        overrides=rest.overrides,
        descales=rest.descales,
        windows=event.windows,
        az_factors=event.az_factors,
        preferred_asgs=rest.preferred_asgs,
        custom_inputs=rest.custom_inputs,
        formula=service.formula,
        approval_rules=event.approval_rules,
    )


async def store_texts(connection: AsyncConnection, texts: Mapping[str, str]) -> None:
    """Stores the texts that are not stored yet, in the order of their hashes: racing writers do not deadlock."""
    table = t.kept_input
    names = sorted(texts)
    known: set[str] = set()
    for some in slices(names):
        # Hexadecimal digits all of them. As parameters, a thousand take SQLAlchemy as long as all the rest of this.
        listed = "','".join(some)
        query = f"SELECT Hash FROM {table.name} WHERE Hash IN ('{listed}')"  # noqa: S608
        known.update((await connection.exec_driver_sql(query)).scalars())
    rows = [{"Hash": name, "Content": texts[name]} for name in names if name not in known]
    await insert_rows(connection, table, rows, or_ignore=True)


async def kept_executions(connection: AsyncConnection, run: Run) -> list[tuple[Inputs, datetime]]:
    """What each execution of the run worked from, and its instant, by FleetIndexId; those not computed left out.

    ``execute`` of the two is the execution again.
    """
    execution = t.hotw_execution
    columns = (execution.c.FleetIndexId, execution.c.InputsHash, execution.c.CreatedAt)
    query = select(*columns).where(execution.c.RunId == run.run_id, execution.c.InputsHash.is_not(None))
    rows = (await connection.execute(query.order_by(execution.c.FleetIndexId))).all()
    rests = await _texts(connection, {row.InputsHash for row in rows})
    texts = rests | await _texts(connection, {part for text in rests.values() for part in _parts(text)})
    of_run = run.facts
    return [
        (restored(row.InputsHash, texts, run=of_run, fleet_index_id=row.FleetIndexId), row.CreatedAt) for row in rows
    ]


def _parts(text: str) -> Sequence[str]:
    rest = orjson.loads(text)
    return rest["event"], rest["service"], rest["fleet"]


async def _texts(connection: AsyncConnection, names: Iterable[str]) -> dict[str, str]:
    table = t.kept_input
    found: dict[str, str] = {}
    for some in slices(sorted(names)):
        rows = await connection.execute(select(table.c.Hash, table.c.Content).where(table.c.Hash.in_(some)))
        found.update((row.Hash, row.Content) for row in rows)
    return found


def _plain(value: Any) -> Any:
    """What JSON has no form of: an exact number as its ratio, a set in order."""
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no input")

"""The rows of groups that a provider is asked for: a queue of those whose curve changed, and what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, case, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.facts import fleet_facts
from services.hotw_svc.adapters.inputs.read_models import FLEETS, state_of
from services.hotw_svc.adapters.orders import order_rows
from services.hotw_svc.adapters.queries.views import with_ids
from services.hotw_svc.adapters.rows import Row
from services.hotw_svc.app.providers.rows import ProviderGroup
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.providers.actions import Action, GroupSizes
from shared.clock import iso, parse_instant
from shared.relational import database_now
from shared.schemas.hotw_svc import Purpose

_AT_ONCE: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""Past by every clock, so that a row is due from its commit on."""
_ACTION: Final = {
    "Name": "name",
    "EventId": "event_id",
    "MinSize": "min_size",
    "DesiredCapacity": "desired_capacity",
    "MaxSize": "max_size",
    "Restores": "restores",
}
"""The attributes of an Action by their members in the JSON column, but for its time."""


async def mark_groups(connection: AsyncConnection, overrides: Iterable[Override], fleets: Mapping[str, int]) -> None:
    """Queues the groups of overrides that were written in this transaction; ``fleets`` are the numbers by FleetId.

    An override that is still Proposed raises nothing, and a Descaling one is carried out by people.
    """
    table = t.provider_group
    written = (o for o in overrides if o.status is not OverrideStatus.PROPOSED and o.purpose is Purpose.UPSCALING)
    keys = sorted({(fleets[override.fleet_id], override.asg_name) for override in written})
    if not keys:
        return
    numbers = sorted({fleet for fleet, _ in keys})
    query = select(table.c.FleetIndexId, table.c.AutoScalingGroupName).where(table.c.FleetIndexId.in_(numbers))
    present = {(row.FleetIndexId, row.AutoScalingGroupName) for row in await connection.execute(query)}
    again = update(table).where(
        table.c.FleetIndexId == bindparam("fleet"), table.c.AutoScalingGroupName == bindparam("name")
    )
    known = [{"fleet": fleet, "name": name} for fleet, name in keys if (fleet, name) in present]
    if known:
        await connection.execute(again.values(_due_again()), known)
    new = [
        {"FleetIndexId": fleet, "AutoScalingGroupName": name, **_NEW}
        for fleet, name in keys
        if (fleet, name) not in present
    ]
    if new:
        await connection.execute(insert(table), new)


_NEW: Final[Row] = {"Revision": 1, "DueAt": _AT_ONCE, "Attempts": 0, "Drifts": 0, "Asked": []}


class ProviderGroups:
    """The groups of one transaction, by the database's clock."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim_due(self, limit: int, seconds: float) -> list[ProviderGroup]:
        table = t.provider_group
        due = with_ids(table).where(table.c.DueAt <= database_now()).order_by(table.c.DueAt)
        return await self._claimed(due.limit(limit), {"DueAt": database_now(seconds)})

    async def claim_looks(self, limit: int, every: float) -> list[ProviderGroup]:
        table = t.provider_group
        query = with_ids(table).where(table.c.LookAt <= database_now(), table.c.DueAt.is_(None))
        return await self._claimed(query.order_by(table.c.LookAt).limit(limit), {"LookAt": database_now(every)})

    async def is_current(self, group: ProviderGroup) -> bool:
        revision = await self._connection.scalar(select(t.provider_group.c.Revision).where(_of(group)))
        return revision == group.revision

    async def asked(self, group: ProviderGroup, asked: Sequence[Action], found: GroupSizes) -> None:
        table = t.provider_group
        await self._update(
            group,
            {
                "Asked": [_column(action) for action in asked],
                "FoundMinSize": found.min_size,
                "FoundMaxSize": found.max_size,
                "DueAt": case((table.c.Revision == group.revision, null()), else_=table.c.DueAt),
                "Attempts": 0,
                "Drifts": 0,
                "Failure": None,
                "LookAt": database_now() if asked else None,
            },
        )

    async def failed(self, group: ProviderGroup, reason: str, pause: float) -> None:
        table = t.provider_group
        due = case((table.c.Revision == group.revision, database_now(pause)), else_=table.c.DueAt)
        await self._update(group, {"DueAt": due, "Attempts": table.c.Attempts + 1, "Failure": reason})

    async def ask_again(self, group: ProviderGroup, asked: Sequence[Action]) -> None:
        await self._update(group, {**_due_again(), "Asked": [_column(action) for action in asked]})

    async def leave(self, group: ProviderGroup) -> None:
        await self._update(group, {"LookAt": None})

    async def drifted(self, group: ProviderGroup, drifts: int) -> None:
        if drifts != group.drifts:
            await self._update(group, {"Drifts": drifts})

    async def _claimed(self, query: Select[Any], values: Row) -> list[ProviderGroup]:
        locked = query.with_for_update(of=t.provider_group, skip_locked=True)
        rows = (await self._connection.execute(locked)).mappings().all()
        if not rows:
            return []
        for row in rows:
            mine = _is(row["FleetIndexId"], row["AutoScalingGroupName"])
            await self._connection.execute(update(t.provider_group).where(mine).values(values))
        names = {row["FleetIndexId"]: row["FleetId"] for row in rows}
        overrides = await order_rows.overrides_of(self._connection, names, Purpose.UPSCALING)
        known = await FLEETS.rows(self._connection, names.values())
        fleets = {name: fleet_facts(base=state_of(row)) for name, row in known.items()}
        groups = []
        for row in rows:
            fleet, name = fleets.get(row["FleetId"]), row["AutoScalingGroupName"]
            groups.append(
                ProviderGroup(
                    fleet_id=row["FleetId"],
                    fleet_index_id=row["FleetIndexId"],
                    name=name,
                    region="" if fleet is None else fleet.region,
                    asg=next((asg for asg in (fleet.asgs if fleet else ()) if asg.name == name), None),
                    overrides=tuple(o for o in overrides.get(row["FleetId"], ()) if o.asg_name == name),
                    asked=tuple(_action(item) for item in row["Asked"]),
                    found=GroupSizes(row["FoundMinSize"], row["FoundMaxSize"]),
                    revision=row["Revision"],
                    attempts=row["Attempts"],
                    drifts=row["Drifts"],
                )
            )
        return groups

    async def _update(self, group: ProviderGroup, values: Row) -> None:
        await self._connection.execute(update(t.provider_group).where(_of(group)).values(values))


def _due_again() -> Row:
    return {"Revision": t.provider_group.c.Revision + 1, "DueAt": _AT_ONCE, "Attempts": 0}


def _of(group: ProviderGroup) -> ColumnElement[bool]:
    return _is(group.fleet_index_id, group.name)


def _is(fleet_index_id: int, name: str) -> ColumnElement[bool]:
    table = t.provider_group
    return (table.c.FleetIndexId == fleet_index_id) & (table.c.AutoScalingGroupName == name)


def _column(action: Action) -> Row:
    return {member: getattr(action, name) for member, name in _ACTION.items()} | {"At": iso(action.at)}


def _action(column: Mapping[str, Any]) -> Action:
    return Action(**{name: column[member] for member, name in _ACTION.items()}, at=parse_instant(column["At"]))

"""The read models: the newest version of what other services own, and the facts read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs import snapshots
from services.hotw_svc.adapters.rows import Row, index_ids, replace_rows, slices
from services.hotw_svc.app.ports import Snapshot
from services.hotw_svc.domain.inputs import EventFacts
from shared.clock import parse_instant
from shared.schemas.fleet_svc import ServiceType

__all__ = ["body_of", "event", "event_fleets", "fleet_lines", "keep", "known_fleets", "snapshots_of"]


def _event(snapshot: Snapshot) -> Row:
    return {"EventId": snapshot.key}


def _service(snapshot: Snapshot) -> Row:
    body = snapshot.body
    return {
        "ServiceId": snapshot.key,
        "ServiceType": body["ServiceType"],
        "Owner": body["Owner"],
        "LeaderAlias": body.get("LeaderAlias"),
    }


def _fleet(snapshot: Snapshot) -> Row:
    body = snapshot.body
    return {
        "LineKey": snapshot.key,
        "FleetId": body["FleetId"],
        "EventId": body.get("EventId") if "#" in snapshot.key else None,
        "ServiceId": body["ServiceId"],
        "Region": body["FleetConfiguration"]["Region"],
    }


def _projection(snapshot: Snapshot) -> Row:
    return {"ProjectionId": snapshot.key}


_RESOURCES: Final[dict[str, tuple[Table, Callable[[Snapshot], Row]]]] = {
    "event": (t.event_replica, _event),
    "service": (t.service_replica, _service),
    "fleet": (t.fleet_replica, _fleet),
    "projection": (t.projection_replica, _projection),
}


async def keep(connection: AsyncConnection, resource: str, given: Sequence[Snapshot]) -> set[str]:
    """Keeps what is newer than what is there; ids seen for the first time get their numbers, fleets their lock."""
    if not given:
        return set()
    if resource == "inventory":
        return await _keep_inventories(connection, given)
    table, columns = _RESOURCES[resource]
    key = table.primary_key.columns[0]
    newest: dict[str, Snapshot] = {}
    for snapshot in given:
        present = newest.get(snapshot.key)
        if present is None or snapshot.version > present.version:
            newest[snapshot.key] = snapshot
    known = dict(
        (await connection.execute(select(key, table.c.VersionId).where(key.in_(list(newest))).with_for_update())).all()
    )
    newer = [newest[name] for name in sorted(newest) if newest[name].version > known.get(name, 0)]
    if not newer:
        return set()
    rows = [
        {"VersionId": item.version, "Deleted": item.deleted, "Snapshot": item.text, **columns(item)} for item in newer
    ]
    await _number(connection, resource, rows)
    await replace_rows(connection, table, key.in_([item.key for item in newer if item.key in known]), rows)
    return {item.key for item in newer}


async def _number(connection: AsyncConnection, resource: str, rows: Sequence[Row]) -> None:
    if resource == "event":
        await index_ids(connection, t.event_index, [row["EventId"] for row in rows])
    elif resource == "service":
        await index_ids(connection, t.service_index, [row["ServiceId"] for row in rows])
    elif resource == "fleet":
        await index_ids(connection, t.service_index, [row["ServiceId"] for row in rows])
        fleets = sorted(await index_ids(connection, t.fleet_index, [row["FleetId"] for row in rows]))
        lock = t.fleet_lock
        present = set((await connection.execute(select(lock.c.FleetId).where(lock.c.FleetId.in_(fleets)))).scalars())
        missing = [{"FleetId": fleet, "Fence": 0, "Revision": 0} for fleet in fleets if fleet not in present]
        if missing:
            await connection.execute(insert(lock), missing)


async def _keep_inventories(connection: AsyncConnection, given: Sequence[Snapshot]) -> set[str]:
    table = t.inventory_replica
    rows: dict[str, Row] = {}
    for snapshot in given:
        row = {"FleetId": snapshot.key, "AsOf": parse_instant(snapshot.body["AsOf"]), "Snapshot": snapshot.text}
        if snapshot.key not in rows or row["AsOf"] > rows[snapshot.key]["AsOf"]:
            rows[snapshot.key] = row
    known = dict(
        (
            await connection.execute(
                select(table.c.FleetId, table.c.AsOf).where(table.c.FleetId.in_(list(rows))).with_for_update()
            )
        ).all()
    )
    newer = [rows[key] for key in sorted(rows) if key not in known or rows[key]["AsOf"] > known[key]]
    replaced = table.c.FleetId.in_([row["FleetId"] for row in newer if row["FleetId"] in known])
    await replace_rows(connection, table, replaced, newer)
    return {row["FleetId"] for row in newer}


async def event(connection: AsyncConnection, event_id: str, *, deleted_too: bool) -> EventFacts | None:
    """The event, None when it is not known. ``deleted_too``: a deleted one as well, which is then not active."""
    row = (await snapshots_of(connection, t.event_replica, [event_id])).get(event_id)
    if row is None or (row.Deleted and not deleted_too):
        return None
    facts = snapshots.event_facts(body_of(row))
    return replace(facts, is_active=False) if row.Deleted else facts


async def snapshots_of(connection: AsyncConnection, table: Table, keys: Iterable[str]) -> dict[str, SqlRow[Any]]:
    """The rows of a read model by their keys, tombstones too."""
    key = table.primary_key.columns[0]
    rows = (await connection.execute(select(key.label("Key"), table).where(key.in_(list(keys))))).all()
    return {row.Key: row for row in rows}


def event_fleets(regions: Iterable[str]) -> Select[Any]:
    """The fleets that belong to an event of these regions (FleetId, ServiceId): those of Registered services."""
    fleet, service = t.fleet_replica, t.service_replica
    return (
        select(fleet.c.FleetId, fleet.c.ServiceId)
        .join(service, service.c.ServiceId == fleet.c.ServiceId)
        .where(
            fleet.c.EventId.is_(None),
            fleet.c.Deleted.is_(False),
            fleet.c.Region.in_(list(regions)),
            service.c.Deleted.is_(False),
            service.c.ServiceType == ServiceType.REGISTERED.value,
        )
    )


async def known_fleets(connection: AsyncConnection, fleet_ids: Iterable[str]) -> set[str]:
    """Those of the fleets that exist and are not deleted."""
    fleet = t.fleet_replica
    known: set[str] = set()
    for some in slices(sorted(set(fleet_ids))):
        query = select(fleet.c.LineKey).where(fleet.c.LineKey.in_(some), fleet.c.Deleted.is_(False))
        known.update((await connection.execute(query)).scalars())
    return known


async def fleet_lines(
    connection: AsyncConnection, fleet_ids: Iterable[str], event_id: str
) -> dict[str, tuple[SqlRow[Any] | None, SqlRow[Any] | None]]:
    """For each fleet the rows of its own line and of its line for the event; a deleted event's line is None."""
    wanted = list(fleet_ids)
    keys = [key for fleet_id in wanted for key in (fleet_id, f"{fleet_id}#{event_id}")]
    rows = await snapshots_of(connection, t.fleet_replica, keys)
    lines = {}
    for fleet_id in wanted:
        line = rows.get(f"{fleet_id}#{event_id}")
        lines[fleet_id] = (rows.get(fleet_id), None if line is None or line.Deleted else line)
    return lines


def body_of(row: SqlRow[Any] | None) -> Any:
    """The resource of a read model's row."""
    return None if row is None else orjson.loads(row.Snapshot)

"""How rows are read by people: flat JSON with string ids, decimals as numbers, instants with ``Z``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.rows import Row, wire

_LEFT_OUT: Final = frozenset(
    {
        "FleetIndexId",
        "ServiceIndexId",
        "EventIndexId",
        "Superseded",
        "DueAt",
        "EventVersionId",
        "Withdrawn",
        "RecordedDigest",
        "InputsHash",
        "GapSince",
    }
)
_PARTS: Final = (
    ("CapacityOverrideDetails", t.capacity_override_details, "AutoScalingGroupName"),
    ("FulfillmentDetails", t.fulfillment_details, "FulfillmentId"),
    ("ASGDetails", t.asg_details_run, "AutoScalingGroupName"),
)


def with_ids(table: Table, *, service: bool = False) -> Select[Any]:
    """A query of the table's rows with the string ids that their numbers stand for."""
    columns: list[Any] = [table, t.fleet_index.c.FleetId]
    joined = table.join(t.fleet_index, t.fleet_index.c.FleetIndexId == table.c.FleetIndexId)
    if "EventIndexId" in table.c:
        columns.append(t.event_index.c.EventId)
        joined = joined.join(t.event_index, t.event_index.c.EventIndexId == table.c.EventIndexId)
    if service:
        columns.append(t.service_index.c.ServiceId)
        joined = joined.join(t.service_index, t.service_index.c.ServiceIndexId == table.c.ServiceIndexId)
    return select(*columns).select_from(joined)


def view(row: Mapping[Any, Any]) -> Row:
    """A row as it is read, without the columns that only HOTW itself needs."""
    return wire({str(name): value for name, value in row.items() if name not in _LEFT_OUT})


async def execution_views(connection: AsyncConnection, rows: Sequence[Mapping[Any, Any]]) -> list[Row]:
    """Executions of one fleet, each with its overrides, orders and ASGs as lists."""
    if not rows:
        return []
    runs, fleet = [row["RunId"] for row in rows], rows[0]["FleetIndexId"]
    parts: dict[int, dict[str, list[Row]]] = {run: {name: [] for name, _, _ in _PARTS} for run in runs}
    for name, table, key in _PARTS:
        query = with_ids(table).where(table.c.FleetIndexId == fleet, table.c.RunId.in_(runs))
        items = [view(item) for item in (await connection.execute(query)).mappings()]
        for item in sorted(items, key=lambda item, key=key: _natural(item[key])):  # type: ignore[misc]
            parts[item["RunId"]][name].append(item)
    return [{**view(row), **parts[row["RunId"]]} for row in rows]


def _natural(name: str) -> tuple[Any, ...]:
    """Sorts ``F5-42-10`` after ``F5-42-9``, and other names by their characters."""
    head, _, number = name.rpartition("-")
    return (head, int(number)) if number.isdigit() and name.startswith("F") else (name, 0)

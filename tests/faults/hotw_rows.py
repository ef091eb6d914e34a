"""How HOTW's tables come into a picture: alike from MySQL and SQLite, ids in place of index numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.faults.picture import Letter, Picture, Row

_TABLES = (
    "hotw_run",
    "hotw_execution",
    "capacity_override_details",
    "fulfillment_details",
    "hotw_dashboard",
    "asg_details_run",
    "run_fleet",
)
_READ_MODELS = ("event", "service", "fleet", "projection")
_NUMBERED = (("fleet_index", "Fleet"), ("event_index", "Event"), ("service_index", "Service"))


def take_rows(picture: Picture, select: Callable[[str], list[Row]]) -> None:
    """Fills the picture with what hotw_svc stores; ``select`` gives the rows of a statement by column."""
    names = {}
    for table, kind in _NUMBERED:
        ids = {row[f"{kind}IndexId"]: row[f"{kind}Id"] for row in select(f"SELECT * FROM {table}")}
        names[f"{kind}IndexId"] = (f"{kind}Id", ids)
    for table in _TABLES:
        picture.rows[table] = [_named(row, names) for row in select(f"SELECT * FROM {table}")]
    for name in _READ_MODELS:
        rows = select(f"SELECT `Key`, VersionId FROM read_model_{name}")
        picture.replicas["hotw_svc", name] = {row["Key"]: row["VersionId"] for row in rows}
    picture.waiting += [f"hotw_svc outbox: {row['MessageKey']}" for row in select("SELECT MessageKey FROM outbox")]
    letters = select("SELECT Id, Letter FROM dead_letters")
    picture.letters += [letter_of("hotw_svc", row["Letter"]) for row in letters]


def letter_of(service: str, stored: str | bytes) -> Letter:
    """A dead letter as every store keeps it: the JSON of its contract."""
    letter = json.loads(stored)
    return Letter(
        service, letter["Id"], letter["Group"], letter["Topic"], letter["Partition"], letter["Offset"], letter["Reason"]
    )


def _named(row: Row, names: dict[str, tuple[str, dict[int, str]]]) -> Row:
    members: dict[str, Any] = {}
    for column, value in row.items():
        if column in names:
            name, ids = names[column]
            members[name] = ids.get(value, f"number {value}, which no id has")
        elif column == "Deliveries":
            members[column] = json.loads(value) if isinstance(value, str | bytes) else value
        else:
            members[column] = value
    return members

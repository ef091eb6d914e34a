"""What reads of plans cost the store: flat in the plans' histories, linear in what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.eventplan_svc.domain.milestones import UPSCALE_IDS
from shared.documents.sqlite.file import SqliteFile
from tests.support.eventplan_processes import Process
from tests.support.http import app_of, calling
from tests.support.snapshots import event, fleet, service

FLEETS = [f"F{number:03d}" for number in range(120)]


async def test_a_plan_a_page_and_a_batch_are_one_statement_with_their_own_rows(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By count, on the route: before and after a plan has 40 more versions, and among 12 plans as among 120."""
    statements: list[tuple[str, int]] = []
    one, rows = SqliteFile.one, SqliteFile.rows

    def counted_one(self: SqliteFile, sql: str, parameters: Sequence[Any] = ()) -> Any:
        found = one(self, sql, parameters)
        statements.append((sql, int(found is not None)))
        return found

    async def counted_rows(self: SqliteFile, sql: str, parameters: Sequence[Any] = ()) -> Any:
        found = await rows(self, sql, parameters)
        statements.append((sql, len(found)))
        return found

    monkeypatch.setattr(SqliteFile, "one", counted_one)
    monkeypatch.setattr(SqliteFile, "rows", counted_rows)

    async def costs() -> list[list[int]]:
        """The rows of each statement that reads plans, for each of three requests."""
        batch = {"EventId": "PD2024", "FleetIds": FLEETS[:10]}
        found = []
        async with calling(app_of(*process.wiring.routes)) as http:
            for method, path, body in (
                ("GET", "/eventplan/PD2024/F000", None),
                ("GET", "/eventplan?EventId=PD2024&Limit=10", None),
                ("POST", "/eventplan/batch", batch),
            ):
                statements.clear()
                answer = await http.request(method, path, json=body)
                assert answer.status_code == 200, answer.text
                found.append([count for sql, count in statements if '"eventplan.' in sql])
        return found

    await process.take(service(), *(fleet(name) for name in FLEETS[:12]), event())
    before = await costs()
    await process.take(*(fleet(name) for name in FLEETS[12:]))
    for number in range(40):
        await process.status(UPSCALE_IDS[0], "InProgress" if number % 2 else "Blocked", "F000")
    assert await costs() == before == [[1], [10], [10]]

"""The list of overrides (4.227): its filters, its pages, and that a page costs the same however long the history is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.hotw_svc.entrypoints.http import routes
from tests.support.hotw_store import EVENT, FLEET, SUMMER, Replica, many, summer
from tests.support.http import app_of, calling, pointers

pytestmark = pytest.mark.slow


@pytest.fixture
async def http(hotw: Replica) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app_of(routes(hotw.commands, hotw.queries, hotw.clock))) as client:
        yield client


async def listed(http: httpx.AsyncClient, limit: int = 1000, **filters: Any) -> list[dict[str, Any]]:
    """All that the list has, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = filters | {"Limit": str(limit)} | ({} if cursor is None else {"Cursor": cursor})
        answer = await http.get("/hotw/override", params=query)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["Items"]) <= limit
        found += answer.json()["Items"]
        cursor = answer.json()["NextCursor"]
        if cursor is None:
            return found


def names(items: list[dict[str, Any]]) -> set[tuple[str, str, str, int]]:
    return {(item["EventId"], item["FleetId"], item["AutoScalingGroupName"], item["RunId"]) for item in items}


async def test_every_filter_and_every_page_size_gives_the_same_overrides(
    hotw: Replica, http: httpx.AsyncClient
) -> None:
    fleets = await many(hotw, 4)
    await summer(hotw, fleets)
    await hotw.run()
    await hotw.run(EventId=SUMMER, FleetIds=fleets[:2])
    for order in (await hotw.orders(fleet_id="Fleet-1"))[:2]:
        await hotw.review(order["FulfillmentId"], "Approve")
    whole = await listed(http)
    assert len(whole) == 3 * 4 + 3 * 2
    assert [(item["EventId"], item["RunId"]) for item in whole] == [(EVENT, 1)] * 12 + [(SUMMER, 2)] * 6
    for filters in (
        {},
        {"EventId": EVENT},
        {"FleetId": "Fleet-1"},
        {"OverrideStatus": "Approved"},
        {"EventId": SUMMER, "OverrideStatus": "Proposed"},
        {"EventId": EVENT, "FleetId": "Fleet-1", "OverrideStatus": "Approved"},
        {"EventId": "Nope"},
        {"FleetId": "Nope", "OverrideStatus": "Started"},
    ):
        wanted = [item for item in whole if all(item[name] == value for name, value in filters.items())]
        for limit in (1, 4, 1000):
            assert await listed(http, limit, **filters) == wanted, filters
    approved = await listed(http, OverrideStatus="Approved")
    assert {item["FleetId"] for item in approved} == {"Fleet-1"}
    assert len(names(approved)) == 2


async def test_what_is_no_filter_or_no_cursor_is_refused(http: httpx.AsyncClient) -> None:
    for query, pointer in (
        ("OverrideStatus=Gone", "/OverrideStatus"),
        ("Status=Started", "/Status"),
        ("Cursor=WzFd", "/Cursor"),  # [1]
        ("Cursor=WzEsMSwxLDFd", "/Cursor"),  # [1,1,1,1]
        ("Cursor=WzEsMSw5OTk5OTk5OTk5OTk5OTk5OTk5OTksImEiXQ", "/Cursor"),  # [1,1,99999999999999999999,"a"]
    ):
        answer = await http.get(f"/hotw/override?{query}")
        assert (answer.status_code, pointers(answer)) == (400, [pointer]), query


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_a_page_is_read_by_an_index_in_the_lists_order(hotw: Replica, http: httpx.AsyncClient) -> None:
    """So no history is read, and nothing is sorted but the page. MySQL's choice goes by the sizes of its tables."""
    await hotw.settle_in()
    await hotw.execute()
    for filters in ({"EventId": EVENT}, {"OverrideStatus": "Started"}, {"FleetId": FLEET}, {}):
        with hotw.statements() as seen:
            await listed(http, 1000, **filters)
        for statement in seen:
            if "capacity_override_details" in statement:
                async with hotw.database.read() as connection:
                    plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {statement.replace('?', '1')}"))
                    steps = " ".join(row.detail for row in plan)
                assert "USING INDEX override_" in steps, steps
                assert "TEMP B-TREE" not in steps, steps

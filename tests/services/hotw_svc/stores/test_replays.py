"""Runs are replayed from what they kept, byte for byte, whatever has changed since (7.3.2 to 7.3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from services.hotw_svc.adapters import tables as t
from services.hotw_svc.adapters.inputs.kept_inputs import kept_executions
from services.hotw_svc.adapters.rows import wire
from services.hotw_svc.adapters.runs.execution_rows import execution_columns
from services.hotw_svc.app.runs.work_run import work_chunk
from services.hotw_svc.domain.runs.execution import execute
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    SERVICE,
    Replica,
    counted,
    custom_input,
    custom_input_body,
    event_body,
    fleet_body,
    formula_body,
    inventory_body,
    many,
    philosophy_body,
    projection_body,
    service_body,
    snapshot,
)


def text(row: dict[str, Any]) -> bytes:
    return orjson.dumps(wire(row), option=orjson.OPT_SORT_KEYS)


async def replay(hotw: Replica, run_id: int) -> int:
    """Works each execution of the run out again and compares every column; how many there are."""
    run = await hotw.run_state(run_id)
    async with hotw.database.read() as connection:
        kept = await kept_executions(connection, run)
        table = t.hotw_execution
        query = select(table).where(table.c.RunId == run_id).order_by(table.c.FleetIndexId)
        rows = (await connection.execute(query)).mappings().all()
    assert len(kept) == len(rows)
    for (inputs, now), row in zip(kept, rows, strict=True):
        columns = execution_columns(execute(inputs, now=now))
        assert text({name: row[name] for name in columns}) == text(columns)
    return len(rows)


async def test_a_run_is_replayed_whatever_has_changed_since(hotw: Replica) -> None:
    """7.3.4: the second run's inputs hold the orders and overrides that the first one made."""
    await hotw.settle_in()
    await hotw.keep("custom_input", custom_input(custom_input_body()))
    await hotw.keep("custom_formula", snapshot(SERVICE, formula_body()))
    first = await hotw.execute()
    for order in first["FulfillmentDetails"][:2]:
        await hotw.review(order["FulfillmentId"], "Approve")
    await hotw.deliver(first["FulfillmentDetails"][0]["FulfillmentId"], 5)
    await hotw.review(first["FulfillmentDetails"][2]["FulfillmentId"], "Reject", Reason="No budget")
    second = await hotw.execute()
    dry = await hotw.run(DryRun=True)
    await hotw.keep("event", snapshot(EVENT, event_body(version=9, PeakStartDate="2024-07-20")))
    await hotw.keep("service", snapshot(SERVICE, service_body(version=9, ServiceType="Onboarding")))
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=9, configuration={"HostThroughPutTPM": 1})))
    await hotw.keep("custom_input", custom_input(custom_input_body(version=9), deleted=True))
    for run_id in (first["RunId"], second["RunId"], dry["RunId"]):
        assert await replay(hotw, run_id) == 1


async def test_a_run_over_unchanged_inputs_keeps_nothing_new_7_3_3(hotw: Replica) -> None:
    fleets = await many(hotw, 20)
    await hotw.keep("inventory", *(snapshot(one, inventory_body(one, hosts=200)) for one in fleets))
    await hotw.run()
    kept = await counted(hotw, t.kept_input)
    assert kept == 1 + 4 + 20 + 20  # the event, the services, the fleets, and the rest of each
    await hotw.run()
    assert await counted(hotw, t.kept_input) == kept
    await hotw.keep("philosophy", snapshot("Service-0", philosophy_body("Service-0")))
    await hotw.run()
    assert await counted(hotw, t.kept_input) == kept + 1 + 5


async def test_two_workers_keep_what_their_fleets_share_once(another: Callable[[], Replica]) -> None:
    first, second = another(), another()
    await many(first, 40)
    run = await first.start()
    work = [work_chunk(hotw.store, hotw.clock, run["RunId"], limit=10) for hotw in (first, second, first, second)]
    assert sum([done.written for done in await asyncio.gather(*work)]) == 40
    assert await replay(first, run["RunId"]) == 40
    assert await counted(first, t.kept_input) == 1 + 8 + 40 + 40


async def test_an_execution_that_nothing_was_worked_out_for_keeps_no_inputs(hotw: Replica) -> None:
    await hotw.settle_in()
    run = await hotw.start()
    await hotw.keep("fleet", snapshot(FLEET, fleet_body(version=9), deleted=True))
    await hotw.work(run["RunId"])
    assert "was deleted after the run began" in (await hotw.executions())[0]["Reasoning"]
    assert (await counted(hotw, t.kept_input), "InputsHash" in (await hotw.executions())[0]) == (0, False)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # what MySQL might store otherwise is tried above
async def test_two_thousand_fleets_are_replayed_to_the_same_bytes(hotw: Replica) -> None:
    """Two runs, between which orders are decided on and delivered and inputs change."""
    fleets = await many(hotw, 2_000)
    services = [f"Service-{number}" for number in range(400)]
    surviving = [philosophy_body(name, ZoneFailures=1, MaxHosts=7 * n) for n, name in enumerate(services[::3])]
    await hotw.keep("philosophy", *(snapshot(body["ServiceId"], body) for body in surviving))
    await hotw.keep("custom_formula", *(snapshot(name, formula_body(service_id=name)) for name in services[::4]))
    await hotw.keep("custom_input", custom_input(custom_input_body("all", fleet_id=None, Input={"BufferFactor": 1.25})))
    await hotw.run()
    for fleet in fleets[::100]:
        for number, order in enumerate((await hotw.executions(fleet))[0]["FulfillmentDetails"]):
            name, decision = order["FulfillmentId"], ("Approve", "Reject", "Delay")[number % 3]
            await hotw.review(name, decision, FulfillmentDate="2024-07-01" if decision == "Delay" else None)
            if decision == "Approve":
                await hotw.deliver(name, order["FulfillmentValue"] // 2)
    changed = [projection_body(name, 4, TotalInputTPM=1_000 * n % 90_000) for n, name in enumerate(fleets[:500])]
    await hotw.keep("projection", *(snapshot(body["ProjectionId"], body) for body in changed))
    assert await replay(hotw, (await hotw.run())["RunId"]) == 2_000

"""Exceptions and philosophies as inputs of a run: what counts, since when, and which version the run shows."""

from __future__ import annotations

from typing import Any

import pytest

from services.hotw_svc.adapters.inputs.read_models import exception_key
from services.hotw_svc.app.runs.work_run import work_chunk
from tests.support.hotw_store import (
    EVENT,
    FLEET,
    SERVICE,
    Replica,
    exception_body,
    many,
    philosophy_body,
    service_body,
    snapshot,
)

pytestmark = pytest.mark.slow

KEY = exception_key(FLEET, EVENT)
ROOMY = {"configuration": {"BufferPercentage": 10, "MaxHostCount": 1_000}}


async def numbers(hotw: Replica) -> tuple[Any, Any, Any]:
    """BufferFactor and RequiredHosts of an execution now, and the version of the exception that it shows."""
    done = await hotw.execute()
    return done["BufferFactor"], done["RequiredHosts"], done["InputVersions"].get("Exception")


async def test_an_approved_exception_replaces_the_buffer_and_a_revoked_one_does_not(hotw: Replica) -> None:
    """4.516, 7.3.1, 7.3.8."""
    await hotw.settle_in(**ROOMY)
    await hotw.keep("exception", snapshot(KEY, exception_body(version=1, Status="Pending")))
    assert await numbers(hotw) == (1.1, 220, None)
    await hotw.keep("exception", snapshot(KEY, exception_body(version=2)))
    assert await numbers(hotw) == (1.3, 260, 2)
    assert "× 1.3 buffer (approved exception) /" in (await hotw.executions())[0]["Reasoning"]
    await hotw.keep("exception", snapshot(KEY, exception_body(version=3, Status="Revoked")))
    assert await numbers(hotw) == (1.1, 220, None)
    await hotw.keep("exception", snapshot(KEY, exception_body(version=2)))  # late: it overwrites nothing (2.8a)
    assert await numbers(hotw) == (1.1, 220, None)
    await hotw.keep("exception", snapshot(KEY, exception_body(version=5)))
    await hotw.keep("exception", snapshot(KEY, exception_body(version=6), deleted=True))
    assert await numbers(hotw) == (1.1, 220, None)


async def test_an_exception_that_expires_during_a_run_counts_for_all_of_its_fleets(hotw: Replica) -> None:
    """4.516: the run's own instant decides. Expired is published before the second chunk."""
    fleets = await many(hotw, 4)
    hotw.clock.set("2024-06-20T23:59:00Z")
    until: dict[str, Any] = {"ExpiresOn": "2024-06-20"}
    await hotw.keep("exception", *(snapshot(exception_key(one, EVENT), exception_body(one, **until)) for one in fleets))
    run = await hotw.start()
    await work_chunk(hotw.store, hotw.clock, run["RunId"], limit=2)
    hotw.clock.set("2024-06-21T00:01:00Z")
    expired: dict[str, Any] = {**until, "Status": "Expired"}
    await hotw.keep(
        "exception", *(snapshot(exception_key(one, EVENT), exception_body(one, 3, **expired)) for one in fleets[1:])
    )
    await hotw.work(run["RunId"])
    assert [(await hotw.executions(one))[0]["BufferFactor"] for one in fleets] == [1.3] * 4
    await hotw.run()
    assert [(await hotw.executions(one))[0]["BufferFactor"] for one in fleets] == [1.1] * 4


async def test_a_philosophy_wins_over_the_services_own_while_it_is_there(hotw: Replica) -> None:
    """4.491, 4.492: as a whole, so that the service's own MinHosts does not count beside it."""
    await hotw.settle_in(**ROOMY)
    own = {"CapacityStrategy": "PerformanceBased", "HeadroomPercentage": 20, "MinHosts": 300}
    await hotw.keep("service", snapshot(SERVICE, service_body(version=4, Philosophy=own)))
    assert (await numbers(hotw))[1] == 300
    await hotw.keep("philosophy", snapshot(SERVICE, philosophy_body(MaxHosts=210)))
    done = await hotw.execute()
    assert (done["Needed"], done["RequiredHosts"], done["CapReason"]) == (220, 210, "the service's MaxHosts")
    assert (done["InputVersions"]["Philosophy"], done["InputVersions"]["Service"]) == (1, 4)
    fixed: dict[str, Any] = {"CapacityStrategy": "Fixed", "MinHosts": 40}
    await hotw.keep("philosophy", snapshot(SERVICE, philosophy_body(version=2, **fixed)))
    assert (await hotw.execute())["RequiredHosts"] == 40
    await hotw.keep("philosophy", snapshot(SERVICE, philosophy_body(version=3, **fixed), deleted=True))
    gone = await hotw.execute()
    assert (gone["RequiredHosts"], "Philosophy" in gone["InputVersions"]) == (300, False)


async def test_the_known_inputs_name_both(hotw: Replica) -> None:
    """4.221."""
    await hotw.settle_in()
    before = await hotw.inputs()
    assert (before["Philosophy"], before["Exception"]) == (None, None)
    await hotw.keep("philosophy", snapshot(SERVICE, philosophy_body(version=7)))
    await hotw.keep("exception", snapshot(KEY, exception_body(version=9)))
    after = await hotw.inputs()
    assert (after["Philosophy"], after["Exception"]) == ({"VersionId": 7}, {"VersionId": 9})

"""An atomic trigger that comes twice at once gets one answer, whatever happens between the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.hotw_svc.adapters.runs.execution_rows import Executions
from services.hotw_svc.adapters.runs.run_rows import Runs
from services.hotw_svc.app.runs.execute_fleet import close_record, open_record
from shared.cause import Cause
from shared.schemas.hotw_svc import ExecuteFleet
from tests.support.hotw_store import EVENT, FLEET, Replica

pytestmark = pytest.mark.slow

COMMAND = ExecuteFleet.model_validate({"EventId": EVENT, "FleetId": FLEET})


async def begun(hotw: Replica, cause: Cause) -> int:
    """The run of a request that is under way, its process gone."""
    await hotw.settle_in()
    _, run_id = await hotw.store.write(lambda unit: open_record(unit, COMMAND, cause))
    return run_id


# SQLite has one writer at a time: nothing comes between two looks.
@pytest.mark.parametrize("dialect", [pytest.param("mysql", marks=pytest.mark.docker)], indirect=True)
async def test_a_run_that_ends_between_two_looks_is_not_taken_for_cancelled(
    another: Callable[[], Replica], dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = another(), another()
    cause = one.cause("twice")
    run_id = await begun(one, cause)
    ended = False

    def interrupted(look: Callable[..., Any]) -> Callable[..., Any]:
        async def looked(*arguments: Any, **options: Any) -> Any:
            nonlocal ended
            seen = await look(*arguments, **options)
            if not ended:
                ended = True
                await other.work(run_id)
            return seen

        return looked

    monkeypatch.setattr(Runs, "get", interrupted(Runs.get))
    monkeypatch.setattr(Executions, "get", interrupted(Executions.get))
    answer = await one.execute(cause=cause)
    assert (answer["RunId"], answer["Status"]) == (run_id, "Success")
    assert await other.execute(cause=cause) == answer


async def test_who_closes_late_gives_the_first_answer_though_its_orders_have_moved_on(hotw: Replica) -> None:
    cause = hotw.cause("late")
    run_id = await begun(hotw, cause)
    await hotw.work(run_id)
    first = await hotw.execute(cause=cause)
    await hotw.review(first["FulfillmentDetails"][0]["FulfillmentId"], "Approve")
    late = await hotw.store.write(lambda unit: close_record(unit, run_id, FLEET, cause))
    assert late is not None
    assert late.result() == first

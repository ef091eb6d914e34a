"""hotw_svc as a whole: events and commands in, facts out; restarted, replayed, and run twice at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.envelope import Message
from shared.schemas.fleet_svc.traffic import BAU_CHANGED
from shared.trace import Trace
from tests.support.embedded_stack import Replica
from tests.support.goldens import golden
from tests.support.hotw_stack import COMPANY, Hotw
from tests.support.hotw_store import EVENT, FLEET, event_body, fleet_body, inventory_body, plan_body
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded
ATOMIC = f"/hotw/atomic/{FLEET}/{EVENT}"
DETAIL = f"/hotw/executionDetail/{EVENT}/{FLEET}"


async def know_the_company(stack: Hotw, replica: Replica) -> None:
    await stack.company()
    await eventually(
        lambda: replica.get(f"/hotw/inputs/{EVENT}/{FLEET}"),
        lambda held: held and all(held[name] for name in COMPANY),
        f"every input of {FLEET} is known",
    )


async def completed(replica: Replica, run_id: object) -> dict[str, Any]:
    """The run, once it is."""
    return dict(
        await eventually(
            lambda: replica.get(f"/hotw/run/{run_id}"),
            lambda run: run["RunStatus"] == "Completed",
            f"run {run_id} completes",
        )
    )


async def settled_in(stack: Hotw, replica: Replica) -> None:
    """The company is known, and its fleet executed once."""
    await know_the_company(stack, replica)
    assert (await replica.http.post(ATOMIC)).status_code == 200


async def test_the_main_job_over_http_and_by_commands(stack: Hotw) -> None:
    replica = await stack.replica()
    await know_the_company(stack, replica)
    executed = await stack.ask("hotw.commands", "ExecuteFleet", {"EventId": EVENT, "FleetId": FLEET}, user="jsmith")
    assert executed.outcome == "Accepted"
    execution = (await replica.get(DETAIL))["Items"][0]
    assert executed.id == str(execution["ExecutionId"])
    assert (execution["RequiredHosts"], execution["HostsPresentInApollo"], execution["CapacityOverrideSum"]) == (
        200,
        150,
        50,
    )
    assert execution["User"] == "jsmith"
    orders = [order["FulfillmentId"] for order in execution["FulfillmentDetails"]]
    for order in orders:
        reviewed = await stack.ask("hotw.commands", "ReviewOrder", {"FulfillmentId": order, "Decision": "Approve"})
        assert (reviewed.outcome, reviewed.id) == ("Accepted", order)
    delivery = await stack.ask("hotw.commands", "ReportDelivery", {"FulfillmentId": orders[0], "FulfilledHosts": 20})
    assert delivery.outcome == "Accepted"
    refused = await stack.ask("hotw.commands", "ReportDelivery", {"FulfillmentId": orders[0], "FulfilledHosts": 5})
    assert refused.outcome == "Refused"
    assert refused.problem is not None
    assert refused.problem["status"] == 409
    run = await stack.ask("hotw.commands", "StartRun", {"EventId": EVENT})
    assert (await completed(replica, run.id))["ByStatus"] == {"Success": 1}
    cancelled = await stack.ask("hotw.commands", "CancelRun", {"RunId": int(run.id or 0)})
    assert cancelled.outcome == "Refused"
    facts = [message.body() for topic in _FACTS for message in await stack.published(topic)]
    numbers = sorted(fact["OrdersVersionId"] for fact in facts)
    assert numbers == list(range(1, len(facts) + 1))
    newest = max(facts, key=lambda fact: fact["OrdersVersionId"])
    assert [order["FulfillmentStatus"] for order in newest["Orders"]] == ["Fulfilled", "Approved", "Approved"]


_FACTS = ("hotw.execution.completed", "hotw.order.placed", "hotw.order.reviewed", "hotw.fulfillment.updated")


async def test_the_bautpm_that_fleet_svc_publishes_is_an_input(stack: Hotw) -> None:
    """5.7e, 7.3.5: the golden message."""
    replica = await stack.replica()
    await stack.send(golden(BAU_CHANGED, BAU_CHANGED))
    await know_the_company(stack, replica)
    await eventually(
        lambda: replica.get(f"/hotw/inputs/{EVENT}/{FLEET}"),
        lambda held: held["BAUTPM"] == {"VersionId": 5},
        "the BAUTPM is known",
    )
    assert (await replica.http.post(ATOMIC)).json()["BAUTPM"] == 33_334


async def test_the_trace_goes_from_the_first_call_to_the_last_fact(stack: Hotw) -> None:
    replica = await stack.replica()
    await settled_in(stack, replica)
    await replica.http.post("/hotw/run", json={"EventId": EVENT}, headers={"X-Correlation-Id": "first-call"})
    runs = await eventually(
        lambda: stack.published("hotw.run.completed"),
        lambda facts: any(m.trace.correlation_id == "first-call" for m in facts),
        "the completed run is published under the first call's id",
    )
    executions = await stack.published("hotw.execution.completed")
    assert executions[-1].trace.correlation_id == "first-call"
    assert runs[-1].source == "hotw_svc"


async def test_everything_is_there_after_a_restart_and_a_replay_changes_nothing(stack: Hotw) -> None:
    replica = await stack.replica()
    await settled_in(stack, replica)
    command = Message(
        "hotw.commands", "StartRun", EVENT, b'{"EventId": "PD2024"}', "kcat", stack.clock.now(), Trace.begin(), id="1"
    )
    await stack.send(command)
    [answer] = await eventually(lambda: stack.published("command.results"), len, "the command is answered")
    await completed(replica, answer.body()["Id"])
    before = await replica.get(DETAIL)
    started = len(await stack.published("hotw.run.started"))
    await replica.stop()
    again = await stack.replica()
    assert await again.get(DETAIL) == before
    await stack.company()
    await stack.send(command)
    await stack.settled()
    first, second = await stack.published("command.results")
    assert first.body() == second.body()
    assert len(await stack.published("hotw.run.started")) == started
    assert await again.get(DETAIL) == before


async def test_a_poison_record_between_good_ones_is_a_dead_letter_and_the_rest_goes_on(stack: Hotw) -> None:
    replica = await stack.replica()
    broken = {"FleetId": "Broken", "VersionId": 1}
    await stack.say(*(("fleet.created", body) for body in (fleet_body(), broken, fleet_body("Good"))))
    await stack.settled()
    assert await replica.get("/hotw/asgDetail/Good") is not None
    assert await replica.get("/hotw/asgDetail/Broken") is None
    [letter] = (await replica.get("/dlq"))["Items"]
    assert letter["Topic"] == "fleet.created"
    refused = await stack.ask("hotw.commands", "StartRun", {"EventId": "PD2024", "Nonsense": 1})
    assert refused.outcome == "Refused"


async def test_two_replicas_share_runs_and_commands_and_nothing_is_done_twice(stack: Hotw) -> None:
    replicas = [await stack.replica(), await stack.replica()]
    await settled_in(stack, replicas[0])
    for name in (f"F-{n}" for n in range(30)):
        await stack.say(("fleet.created", fleet_body(name)), ("fleet.inventory.reported", inventory_body(name)))
    await stack.settled()
    runs = await asyncio.gather(*(replicas[n % 2].http.post("/hotw/run", json={"EventId": EVENT}) for n in range(4)))
    for run in runs:
        done = await completed(replicas[1], run.json()["RunId"])
        assert done["Executions"] == done["Fleets"] == 31
    facts = [message.body() for topic in _FACTS for message in await stack.published(topic)]
    keys = [(fact["FleetId"], fact["OrdersVersionId"]) for fact in facts]
    assert len(keys) == len(set(keys))


async def test_a_moved_event_moves_overrides_through_the_log(stack: Hotw) -> None:
    replica = await stack.replica()
    await settled_in(stack, replica)
    await stack.say(("event.updated", event_body(3, PeakStartDate="2024-07-20", PeakEndDate="2024-07-21")))

    async def windows() -> set[str]:
        items = (await replica.get(DETAIL))["Items"]
        return {override["StartTime"][:10] for override in items[0]["CapacityOverrideDetails"]}

    await eventually(windows, lambda seen: seen == {"2024-07-19"}, "the overrides start the day before the new peak")


async def test_the_dashboard_shows_what_the_plan_s_events_say_7_17_14(stack: Hotw) -> None:
    replica = await stack.replica()
    await settled_in(stack, replica)
    blocked: dict[str, Any] = {"PlaceHardwareOrder": ("Blocked", "Blocked: finance says no")}
    await stack.say(("eventplan.created", plan_body(version=1)), ("eventplan.updated", plan_body(version=2, **blocked)))
    await stack.settled()
    board = await replica.get(f"/hotw/dashboard/{EVENT}/Upscaling")
    fleet = board["Services"][0]["Fleets"][0]
    assert (fleet["StatusReasoning"], fleet["ActionPendingOn"]) == ("Blocked: finance says no", "EPIC")

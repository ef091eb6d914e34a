"""Every write may also be asked for by a command on Kafka, by any client, and is answered on command.results."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from tests.support import reference, servers
from tests.support.fresh_stacks import SETTINGS, fresh_stacks
from tests.support.scenario import PLAN, Caller, milestone
from tests.support.stacks import RealStack, kcat_produce, running
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.asyncio(loop_scope="module"),
]
FLEET_ID = "FORTRESSService-NA-X0"


class CommandClient:
    """Sends commands with kcat and collects their answers with a plain consumer."""

    def __init__(self, stack: RealStack, consumer: AIOKafkaConsumer) -> None:
        self.stack, self.consumer = stack, consumer
        self.answers: dict[str, list[dict[str, Any]]] = {}

    def send(self, topic: str, ce_type: str, ce_id: str, key: str, body: Any) -> None:
        kcat_produce(self.stack.kafka, topic, ce_type, ce_id, key, body)

    async def collect(self) -> dict[str, list[dict[str, Any]]]:
        for records in (await self.consumer.getmany(timeout_ms=200)).values():
            for record in records:
                answer = json.loads(record.value)
                self.answers.setdefault(answer["CommandId"], []).append(answer)
        return self.answers

    async def ask(self, topic: str, ce_type: str, ce_id: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        await asyncio.to_thread(self.send, topic, ce_type, ce_id, key, body)
        answers = await eventually(self.collect, lambda seen: ce_id in seen, f"the answer of {ce_type} {ce_id}")
        return answers[ce_id][0]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(
    kafka_server: servers.Server, mysql_server: servers.Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealStack]:
    """One for all of these tests: each has ids of its own."""
    with fresh_stacks(kafka_server, mysql_server) as make:
        stack = make(tmp_path_factory.mktemp("commands"), environment=dict(SETTINGS))
        async with running(stack):
            yield stack


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def commands(stack: RealStack) -> AsyncIterator[CommandClient]:
    consumer = AIOKafkaConsumer("command.results", bootstrap_servers=stack.kafka, auto_offset_reset="earliest")
    await consumer.start()
    yield CommandClient(stack, consumer)
    await consumer.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def caller(stack: RealStack) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(timeout=60) as http:
        yield Caller(stack, http)


async def test_the_main_job_by_commands_alone(commands: CommandClient, caller: Caller) -> None:
    steps = [
        ("fleet.commands", "CreateService", "FORTRESSService", reference.SERVICE),
        ("fleet.commands", "CreateFleet", FLEET_ID, reference.FLEET),
        ("fleet.commands", "ReportInventory", FLEET_ID, {"FleetId": FLEET_ID, **reference.INVENTORY}),
        ("event.commands", "CreateEvent", "PD2024", reference.EVENT),
        ("fleet.commands", "CreateProjection", FLEET_ID, reference.PROJECTION),
    ]
    for number, (topic, ce_type, key, body) in enumerate(steps):
        answer = await commands.ask(topic, ce_type, f"step-{number}", key, body)
        assert answer["Outcome"] == "Accepted", answer
        assert answer["Source"] == "/kcat"
    await caller.gathered_plan()
    await caller.known_to_hotw("PD2024", FLEET_ID)

    run = await commands.ask("hotw.commands", "StartRun", "run", "PD2024", {"EventId": "PD2024"})
    assert run["Outcome"] == "Accepted", run
    orders = await eventually(lambda: caller.orders("PD2024"), lambda found: len(found) == 3, "three orders")
    assert [order["FulfillmentValue"] for order in orders] == [20, 20, 10]
    for order in orders:
        name = order["FulfillmentId"]
        body = {"FulfillmentId": name, "Decision": "Approve"}
        answer = await commands.ask("hotw.commands", "ReviewOrder", f"r-{name}", FLEET_ID, body)
        assert answer["Outcome"] == "Accepted"
        body = {"FulfillmentId": name, "FulfilledHosts": order["FulfillmentValue"]}
        assert (await commands.ask("hotw.commands", "ReportDelivery", f"d-{name}", FLEET_ID, body))[
            "Outcome"
        ] == "Accepted"
    await caller.plan_when("HardwareFulfillment", "Completed")
    body = {
        "EventId": "PD2024",
        "FleetId": FLEET_ID,
        "EventMilestoneId": "UpdateThrottlingInSDC",
        "MilestoneCompletionStatus": "Completed",
    }
    assert (await commands.ask("eventplan.commands", "SetMilestoneStatus", "by-hand", FLEET_ID, body))[
        "Outcome"
    ] == "Accepted"
    plan = await caller.call("GET", PLAN)
    assert milestone(plan, "UpdateThrottlingInSDC")["MilestoneCompletionStatus"] == "Completed"


async def test_a_command_sent_twice_changes_nothing_and_gets_its_first_answer_again(
    commands: CommandClient, caller: Caller
) -> None:
    for _ in range(2):
        await asyncio.to_thread(
            commands.send,
            "fleet.commands",
            "CreateService",
            "twice",
            "Twice",
            {**reference.SERVICE, "ServiceId": "Twice"},
        )
    answers = await eventually(commands.collect, lambda seen: len(seen.get("twice", ())) == 2, "both answers")
    assert answers["twice"][0] == answers["twice"][1]
    assert (await caller.call("GET", "/service/Twice"))["VersionId"] == 1


async def test_a_refused_command_is_answered_with_the_problem_http_would_give(commands: CommandClient) -> None:
    event = copy.deepcopy(reference.EVENT)
    event |= {"EventId": "Reversed", "PeakStartDate": "2025-01-01"}
    answer = await commands.ask("event.commands", "CreateEvent", "reversed", "Reversed", event)
    assert answer["Outcome"] == "Refused"
    assert answer["Problem"]["status"] == 400
    assert "PeakStartDate" in str(answer["Problem"]["errors"])


async def test_a_poison_record_between_good_ones_is_a_dead_letter_and_the_others_go_on(
    commands: CommandClient, stack: RealStack, caller: Caller
) -> None:
    good = [{**reference.SERVICE, "ServiceId": f"Good{number}"} for number in range(2)]
    await asyncio.to_thread(commands.send, "fleet.commands", "CreateService", "good-0", "k", good[0])
    await asyncio.to_thread(commands.send, "fleet.commands", "CreateService", "poison", "k", ["no JSON object"])
    await asyncio.to_thread(commands.send, "fleet.commands", "CreateService", "good-1", "k", good[1])
    answers = await eventually(commands.collect, lambda seen: {"good-0", "good-1"} <= seen.keys(), "both good answers")
    assert [answers[name][0]["Outcome"] for name in ("good-0", "good-1")] == ["Accepted", "Accepted"]
    letters = await eventually(
        lambda: caller.http.get(f"http://127.0.0.1:{stack.replicas['fleet_svc'][0].port}/dlq"),
        lambda answer: answer.json()["Items"],
        "one dead letter",
    )
    [letter] = letters.json()["Items"]
    assert "not a JSON object" in letter["Reason"]
    assert letter["Topic"] == "fleet.commands"

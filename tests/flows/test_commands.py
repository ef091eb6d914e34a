"""Every write may also be asked for by a command on Kafka, by any client, and is answered on command.results."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.schemas.fleet_svc.traffic import MINUTES
from shared.schemas.topics import TOPICS
from tests.support import kcat, reference, servers
from tests.support.fresh_stacks import SETTINGS, fresh_stacks
from tests.support.goldens import golden
from tests.support.scenario import PLAN, Caller, milestone
from tests.support.stacks import RealStack, running
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.asyncio(loop_scope="module"),
]
FLEET_ID = "FORTRESSService-NA-X0"
_AT_ONCE = 8  # processes of kcat
_PATIENCE = 30.0  # seconds until what a command needs has come from another service


class CommandClient:
    """Sends commands and reads their answers with kcat. ``answers`` are those of command.results, as they come."""

    def __init__(self, stack: RealStack, answers: Sequence[dict[str, Any]]) -> None:
        self.stack, self._answers = stack, answers

    async def send(self, topic: str, ce_type: str, ce_id: str, key: str, body: Any, *, user: str | None = None) -> None:
        await kcat.produce(self.stack.kafka, topic, ce_type=ce_type, ce_id=ce_id, key=key, body=body, user=user)

    async def answers_to(self, ce_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The answers to one command, once there are so many."""

        async def look() -> list[dict[str, Any]]:
            return [answer for answer in self._answers if answer["CommandId"] == ce_id]

        return await eventually(look, lambda seen: len(seen) >= count, f"{count} answers to {ce_id}")

    async def ask(
        self, topic: str, ce_type: str, ce_id: str, key: str, body: dict[str, Any], *, user: str | None = None
    ) -> dict[str, Any]:
        await self.send(topic, ce_type, ce_id, key, body, user=user)
        return (await self.answers_to(ce_id))[0]


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
    async with kcat.consuming(stack.kafka, "command.results") as answers:
        yield CommandClient(stack, answers)


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


async def test_traffic_becomes_a_projection_by_commands_alone(commands: CommandClient, caller: Caller) -> None:
    """4.187, 4.531: a day of 1,440 minutes, the BAUTPM that follows from it, and the proposal accepted."""
    ids = {"FleetId": "Proposed-X0", "EventId": "Proposed"}
    day = dict.fromkeys(MINUTES, 33334)
    steps = [
        ("event.commands", "CreateEvent", {**reference.EVENT, "EventId": "Proposed"}),
        ("fleet.commands", "CreateFleet", {**reference.FLEET, "FleetId": "Proposed-X0", "EventId": None}),
        (
            "fleet.commands",
            "CreateTraffic",
            {"FleetId": "Proposed-X0", "Date": "2024-06-14", "Source": "Axon", "Series": day},
        ),
    ]
    for topic, ce_type, body in steps:
        given = {name: value for name, value in body.items() if value is not None}
        answer = await commands.ask(topic, ce_type, f"proposed-{ce_type}", "Proposed-X0", given)
        assert answer["Outcome"] == "Accepted", answer
    await eventually(lambda: caller.peek("/fleet/event/Proposed"), bool, "fleet_svc knows the event")
    accept = {**ids, "TPM": 50_001}
    answer = await commands.ask("fleet.commands", "AcceptProposal", "proposed-accept", "Proposed-X0", accept)
    assert (answer["Outcome"], answer["Id"]) == ("Accepted", "Proposed-X0#Proposed#Peak"), answer
    projection = await caller.call("GET", "/projection/Proposed-X0/Proposed")
    assert (projection["TotalInputTPM"], projection["IsVerifiedByOwner"]) == (50_001, False)


async def test_a_command_sent_twice_changes_nothing_and_gets_its_first_answer_again(
    commands: CommandClient, caller: Caller
) -> None:
    for _ in range(2):
        body = {**reference.SERVICE, "ServiceId": "Twice"}
        await commands.send("fleet.commands", "CreateService", "twice", "Twice", body)
    first, second = await commands.answers_to("twice", count=2)
    assert first == second
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
    for ce_id, body in {"good-0": good[0], "poison": ["no JSON object"], "good-1": good[1]}.items():
        await commands.send("fleet.commands", "CreateService", ce_id, "k", body)
    answers = [await commands.answers_to(ce_id) for ce_id in ("good-0", "good-1")]
    assert [answer["Outcome"] for (answer,) in answers] == ["Accepted", "Accepted"]
    letters = await eventually(
        lambda: caller.http.get(f"http://127.0.0.1:{stack.replicas['fleet_svc'][0].port}/dlq"),
        lambda answer: answer.json()["Items"],
        "one dead letter",
    )
    [letter] = letters.json()["Items"]
    assert "not a JSON object" in letter["Reason"]
    assert letter["Topic"] == "fleet.commands"


async def test_a_bulk_job_of_rows_of_another_service_by_command(commands: CommandClient, caller: Caller) -> None:
    """4.594: fleet_svc sends them as commands and reads their answers, from Kafka itself."""
    rows: list[dict[str, Any]] = [{"EventProfileId": f"Row{number}", "Name": "Prime Day"} for number in range(3)]
    body = {"Resource": "EventProfile", "Rows": [*rows, {"EventProfileId": "Row3", "Name": ""}]}
    started = await commands.ask("fleet.commands", "StartBulkJob", "bulk", "EventProfile", body)
    assert started["Outcome"] == "Accepted", started
    path = f"/bulkjobs/{started['Id']}"
    job = await eventually(lambda: caller.call("GET", path), lambda job: job["Status"] != "Running", "the job's end")
    assert (job["Status"], job["RowsDone"], job["RowsFailed"]) == ("Done", 4, 1), job["Failures"]
    assert (job["Failures"][0]["Row"], job["Failures"][0]["Key"]) == (4, "Row3")
    assert (await caller.call("GET", "/eventprofile/Row2"))["VersionId"] == 1


GOLDENS = [
    (topic.name, kind.ce_type)
    for topic in TOPICS.values()
    if topic.name.endswith(".commands")
    for kind in topic.messages
]
"""Every command of EPIC."""

REFUSED = {
    "AcceptProposal": (404,),
    "CancelBulkJob": (404,),
    "CancelRun": (404,),
    "ReportDelivery": (404,),
    "ReviewOrder": (404,),
    "CreateEventPlan": (409,),
    "RecordDashboard": (404,),
    "RecordExecution": (404, 409),
    "UpdateRecordedRun": (404, 409),
}
"""How a command may also be answered: EPIC itself numbers jobs, runs and orders, makes the plans of its fleets, and
does not know RIPE, nor lets an outside engine record into a run of EPIC. A proposal takes a day of traffic
(``test_traffic_becomes_a_projection_by_commands_alone``)."""


def _phase(ce_type: str) -> int:
    """What is there must be created first and deleted last."""
    verbs = {"Create": 0, "Update": 1, "Restore": 3, "Delete": 4}
    return next((phase for verb, phase in verbs.items() if ce_type.startswith(verb)), 2)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def golden_answers(commands: CommandClient) -> dict[str, dict[str, Any]]:
    """What each golden command was answered with, by its type.

    One that needs what another one makes, perhaps in another service, is sent again until it is accepted.
    """
    answers: dict[str, dict[str, Any]] = {}
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask(topic: str, ce_type: str, attempt: int) -> None:
        message = golden(topic, ce_type)
        key, body = _renamed(message.key), json.loads(_renamed(message.data.decode()))
        async with turn:
            ce_id = f"golden-{ce_type}-{attempt}"
            answers[ce_type] = await commands.ask(topic, ce_type, ce_id, key, body, user=message.user)

    for phase in range(5):
        left = [(topic, ce_type) for topic, ce_type in GOLDENS if _phase(ce_type) == phase]
        attempt, until = 0, time.monotonic() + _PATIENCE
        while left and time.monotonic() < until:
            attempt += 1
            await asyncio.gather(*(ask(topic, ce_type, attempt) for topic, ce_type in left))
            left = [(topic, ce_type) for topic, ce_type in left if not _is_as_expected(ce_type, answers[ce_type])]
    return answers


def _is_as_expected(ce_type: str, answer: dict[str, Any]) -> bool:
    return answer["Outcome"] == "Accepted" or answer["Problem"]["status"] in REFUSED.get(ce_type, ())


def _renamed(text: str) -> str:
    """The same about documents that no other test writes."""
    return text.replace("PD2024", "Golden2024").replace("FORTRESSService", "GoldenService")


@pytest.mark.parametrize(("topic", "ce_type"), GOLDENS, ids=[f"{topic}-{ce_type}" for topic, ce_type in GOLDENS])
async def test_every_golden_command_is_obeyed(
    golden_answers: dict[str, dict[str, Any]], topic: str, ce_type: str
) -> None:
    answer = golden_answers[ce_type]
    assert answer["Source"] == "/kcat"
    assert _is_as_expected(ce_type, answer), answer

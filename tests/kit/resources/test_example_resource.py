"""The example of CONTRIBUTING, executed: from its two files follows everything that a resource has."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from epic.configuration import load_settings
from shared.clock import Clock
from shared.messaging.commands import CommandSubscription
from shared.messaging.transport import Transport
from shared.resources import Declared, Resource
from shared.schemas.results import Outcome
from shared.schemas.topics import TOPICS, command_type, topics_of
from shared.service import DocumentKit, RunningService
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.http import pointers, version_of
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"`((?:shared|services)/[a-z_/]+)\.py`[^`]*```python\n(.*?)```", re.DOTALL)
FLEET = {"FleetId": "F1", "ServiceId": "S1", "FleetConfiguration": {"Region": "us-east-1", "HostThroughPutTPM": 250}}
EVENT = f"E{uuid.uuid4().hex[:8]}"  # the servers are shared with other tests
OTHER = f"{EVENT}-other"
FREEZE = {"FleetId": "F1", "EventId": EVENT, "Reason": "it is fragile", "ExpiresOn": "2024-06-20"}


@pytest.fixture
def freezes(monkeypatch: pytest.MonkeyPatch) -> Resource[Any]:
    """The declaration, and its contract's topics in the registry."""
    for path, code in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()):
        module = ModuleType(path.replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, f"{path}.py", "exec"), vars(module))
    declaration: Resource[Any] = vars(sys.modules["services.fleet_svc.resources.freeze"])["FREEZES"]
    contract, commands = declaration.contract, TOPICS["fleet.commands"]
    messages = (*commands.messages, *map(command_type, contract.commands))
    for topic in (*topics_of(contract), replace(commands, messages=messages)):
        monkeypatch.setitem(TOPICS, topic.name, topic)
    return declaration


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("servers", marks=pytest.mark.docker),
    ]
)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "embedded":
        return load_settings({}, data_dir=tmp_path)
    environment = {
        "EPIC_TRANSPORT": "kafka",
        "EPIC_KAFKA_BOOTSTRAP_SERVERS": request.getfixturevalue("kafka_bootstrap"),
        "EPIC_MONGO_URL": request.getfixturevalue("mongo_url"),
    }
    return load_settings(environment, data_dir=tmp_path)


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock, freezes: Resource[Any]) -> AsyncIterator[Stack]:
    fleets = Resource(contract=freezes.references[0], path="/fleet")

    async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
        kit = DocumentKit("fleet_svc", settings, transport, clock)
        declared = Declared([freezes, fleets], kit.store, clock)
        commands = [command for command in declared.commands() if "Freeze" in command.name]
        return kit.service(declared=declared, subscriptions=[CommandSubscription("fleet.commands", commands)])

    async with open_stack(Stack, settings, clock) as stack:
        await stack.start(build)
        yield stack


async def test_http_and_commands_do_all_that_the_declaration_gives(stack: Stack, clock: FixedClock) -> None:
    http = stack.replicas[0].http
    unknown = await http.post("/freeze", json={**FREEZE, "FleetId": "F0"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no Fleet F0; create it first")
    assert (await http.post("/fleet", json=FLEET)).status_code in (200, 409)
    past = await http.post("/freeze", json={**FREEZE, "ExpiresOn": "2024-06-14"})
    assert past.status_code == 409

    made = await http.post("/freeze", json={**FREEZE, "Status": "Approved", "VersionId": 7})
    assert (made.status_code, version_of(made)) == (200, 1)
    assert (made.json()["Status"], made.json()["Summary"]) == ("Pending", "F1 is left alone until 2024-06-20")
    reviewed = await http.put(f"/freeze/F1/{EVENT}/review", json={}, headers={"X-Epic-User": "ann", "If-Match": '"1"'})
    assert (reviewed.json()["Status"], reviewed.json()["ReviewedBy"]) == ("Approved", "ann")
    assert (await http.put(f"/freeze/F1/{EVENT}/review", json={})).json()["type"] == "urn:epic:problem:reviewed"
    assert version_of(await http.put(f"/freeze/F1/{EVENT}", json=reviewed.json())) == 2
    listed = (await http.get(f"/freeze?Status=Approved&EventId={EVENT}")).json()["Items"]
    assert [item["FleetId"] for item in listed] == ["F1"]

    changed = await stack.ask("fleet.commands", "UpdateFreeze", {**_KEY, "Reason": "it is new"}, if_match='"2"')
    assert (changed.outcome, changed.id, changed.version_id) == (Outcome.ACCEPTED, f"F1#{EVENT}", 3)
    assert (await http.get(f"/freeze/F1/{EVENT}")).json()["Status"] == "Pending"
    again = await stack.ask("fleet.commands", "ReviewFreeze", _KEY, user="bob")
    assert again.version_id == 4
    refused = await stack.ask("fleet.commands", "CreateFreeze", FREEZE)
    assert refused.problem is not None
    assert refused.problem["type"] == "urn:epic:problem:exists"
    deleted = await stack.ask("fleet.commands", "DeleteFreeze", _KEY)
    assert deleted.version_id == 5
    versions = (await http.get(f"/freeze/F1/{EVENT}/versions")).json()["Items"]
    assert [version["VersionId"] for version in versions] == [5, 4, 3, 2, 1]
    assert [version["Status"] for version in versions[1:]] == ["Approved", "Pending", "Approved", "Pending"]

    for topic, versions_of in (("created", [1]), ("updated", [2, 3, 4]), ("reviewed", [2, 4]), ("deleted", [5])):
        messages = [one for one in await stack.published(f"freeze.{topic}") if one.key == f"F1#{EVENT}"]
        assert [message.body()["VersionId"] for message in messages] == versions_of
        for message in messages:
            TOPICS[f"freeze.{topic}"].messages[0].model.model_validate(message.body())


async def test_the_clock_ends_what_has_expired_and_publishes_it_once(
    settings: Settings, freezes: Resource[Any], stack: Stack, clock: FixedClock
) -> None:
    http = stack.replicas[0].http
    await http.post("/fleet", json=FLEET)
    await http.post("/freeze", json={**FREEZE, "EventId": OTHER})
    await http.put(f"/freeze/F1/{OTHER}/review", json={})
    await stack.replicas[0].stop()
    clock.advance(timedelta(days=6))

    async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
        kit = DocumentKit("fleet_svc", settings, transport, clock)
        declared = Declared([freezes], kit.store, clock, others={"Fleet": kit.store.documents("fleet")})
        return kit.service(declared=declared)

    replica = await stack.start(build)
    read = await eventually(
        lambda: replica.get(f"/freeze/F1/{OTHER}"), lambda found: found["Status"] == "Expired", "the freeze has expired"
    )
    assert (read["VersionId"], read["AuditMetadata"]["User"]) == (3, "EPICAutomation")
    messages = [one for one in await stack.published("freeze.updated") if one.key == f"F1#{OTHER}"]
    assert [message.body()["VersionId"] for message in messages] == [2, 3]


_KEY = {"FleetId": "F1", "EventId": EVENT}


async def test_a_list_is_sorted_page_by_page(stack: Stack) -> None:
    http, event_id = stack.replicas[0].http, f"{EVENT}-sorted"
    days = {"F1": "2024-06-22", "F2": "2024-06-20", "F3": "2024-06-22", "F4": "2024-06-21"}
    for fleet_id, day in days.items():
        await http.post("/fleet", json={**FLEET, "FleetId": fleet_id})
        body = {**FREEZE, "FleetId": fleet_id, "EventId": event_id, "ExpiresOn": day}
        assert (await http.post("/freeze", json=body)).status_code == 200
    for sort, wanted in (("ExpiresOn", ["F2", "F4", "F1", "F3"]), ("-ExpiresOn", ["F3", "F1", "F4", "F2"])):
        query = {"EventId": event_id, "Sort": sort, "Limit": "3"}
        first = (await http.get("/freeze", params=query)).json()
        rest = (await http.get("/freeze", params={**query, "Cursor": first["NextCursor"]})).json()
        assert [item["FleetId"] for item in (*first["Items"], *rest["Items"])] == wanted
        assert rest["NextCursor"] is None
        for other in ("EventId", "", sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"):
            question = {**query, "Cursor": first["NextCursor"], "Sort": other}
            answer = await http.get("/freeze", params={name: value for name, value in question.items() if value})
            assert (answer.status_code, pointers(answer)) == (400, ["/Cursor"]), other
    refused = await http.get("/freeze?Sort=Reason")
    assert (refused.status_code, pointers(refused)) == (400, ["/Sort"])

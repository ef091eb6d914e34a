"""fleet_svc and documents that grow: messages of whatever their size, up to a limit that both doors answer with 413."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from aiokafka.errors import MessageSizeTooLargeError
from structlog.testing import capture_logs

from services.fleet_svc.bootstrap import build as build_fleet
from shared.documents.contract import MAX_STATE_BYTES
from shared.embedded import EmbeddedProducer, EmbeddedTransport
from shared.messaging.publisher import TOO_LARGE_PAUSE
from shared.schemas.results import Outcome
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.fleet import Both
from tests.support.reference import FLEET, SERVICE
from tests.support.waiting import eventually

pytestmark = pytest.mark.embedded

FLEET_ID = FLEET["FleetId"]
PATH = f"/fleet/{FLEET_ID}"


def asgs(count: int) -> dict[str, Any]:
    """Some 240 bytes each."""
    return {
        "ASGProperties": [
            {"AutoScalingGroupName": f"{number:05}{'a' * 175}", "AvailabilityZone": "us-east-1a"}
            for number in range(count)
        ]
    }


def environments(count: int, length: int = 230) -> dict[str, Any]:
    return {"ChildApolloEnvs": [{"ApolloName": f"{number:05}{'e' * (length - 5)}"} for number in range(count)]}


async def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_service_as_large_as_a_body_may_be_is_published(stack: Both) -> None:
    service = {**SERVICE, "Fleet": [{"Region": "us-east-1", "Fleets": []}]}
    room = 1_048_576 - len(orjson.dumps(service))
    names = [f"{number:05}{'f' * 95}" for number in range(room // 103)]
    body = orjson.dumps({**service, "Fleet": [{"Region": "us-east-1", "Fleets": names}]})
    assert 1_048_000 < len(body) <= 1_048_576

    await ok(await stack.fleet.post("/service", content=body, headers={"Content-Type": "application/json"}))

    (messages,) = await stack.published("service.created")
    assert len(messages.data) > len(body)
    assert messages.body()["Fleet"][0]["Fleets"] == names
    for replica in stack.replicas:
        await replica.ready()


async def test_a_fleet_that_grows_is_published_until_it_would_be_too_large_by_either_door(stack: Both) -> None:
    await ok(await stack.fleet.post("/service", json=SERVICE))
    await ok(await stack.fleet.post("/fleet", json=FLEET))
    await ok(await stack.fleet.put(PATH, json={"FleetConfiguration": asgs(3_500)}))
    await ok(await stack.fleet.put(PATH, json={"FleetConfiguration": environments(3_500)}))

    messages = await stack.published("fleet.updated")
    assert [len(message.data) > size for message, size in zip(messages, (800_000, 1_650_000), strict=True)] == [
        True
    ] * 2

    grown = {"FleetId": FLEET_ID, "FleetProjection": [{"ProjectionType": "p" * 230}] * 1_000}
    assert (await stack.ask("fleet.commands", "UpdateFleet", grown)).outcome is Outcome.ACCEPTED
    larger = {"FleetConfiguration": asgs(4_200)}
    answers = [await stack.fleet.put(PATH, json=larger, headers={"Idempotency-Key": "grow"}) for _ in range(2)] + [
        await stack.fleet.put(PATH, json=larger)
    ]
    for answer in answers:
        assert answer.status_code == 413, answer.text
        problem = answer.json()
        assert (problem["type"], problem["title"]) == ("urn:epic:problem:too-large", "Document too large")
        assert f"{FLEET_ID} would be " in problem["detail"]
        assert f"{MAX_STATE_BYTES} are the most" in problem["detail"]
    assert (await ok(await stack.fleet.get(PATH)))["VersionId"] == 4

    refused = await stack.ask("fleet.commands", "UpdateFleet", {"FleetId": FLEET_ID, **larger})
    assert refused.outcome is Outcome.REFUSED
    assert refused.problem is not None
    assert (refused.problem["status"], refused.problem["detail"]) == (413, problem["detail"])

    await ok(await stack.fleet.put(PATH, json={"FleetConfiguration": environments(1)}))
    assert len(await stack.published("fleet.updated")) == 4


def failed(ready: httpx.Response) -> dict[str, str]:
    """What is not well, and why."""
    checks = ready.json()["Checks"]
    return {name: check["Detail"] for name, check in checks.items() if check["Status"] == "Failed"}


class RefusingProducer(EmbeddedProducer):
    async def send(self, topic: str, value: bytes | None = None, *args: Any, **options: Any) -> Any:
        if len(value or b"") > 50_000:
            raise MessageSizeTooLargeError(f"the record for {topic} is too large")
        return await super().send(topic, value, *args, **options)


async def test_an_event_too_large_for_the_broker_is_what_readiness_and_log_speak_of(
    settings: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a broker whose topics somebody created for small messages."""
    monkeypatch.setattr(EmbeddedTransport, "producer", lambda transport, **_: RefusingProducer(transport))
    async with open_stack(Stack, settings, clock) as stack:
        replica = await stack.start(build_fleet)
        large = {
            **SERVICE,
            "ServiceId": "Large",
            "Fleet": [{"Region": "r", "Fleets": [f"F{n:050}" for n in range(1_000)]}],
        }
        began = time.monotonic()
        with capture_logs() as log_lines:
            await ok(await replica.http.post("/service", json=large))
            for number in range(20):
                await ok(await replica.http.post("/service", json={**SERVICE, "ServiceId": f"S{number}"}))
            state = await eventually(replica.service.store.outbox, lambda state: state.open == 1, "all others went")
            clock.advance(timedelta(seconds=61))
            unready = await eventually(
                lambda: replica.http.get("/health/ready"),
                lambda answer: failed(answer).keys() == {"outbox"} and "not published" in failed(answer)["outbox"],
                "readiness speaks of the outbox, and of nothing else",
            )
        assert unready.status_code == 503
        assert state.open == 1
        why = failed(unready)["outbox"]
        assert why.startswith("an event of Large is ")
        assert why.endswith("1 events are not published, the oldest for 61 s")
        assert "broker" not in why
        lines = [line for line in log_lines if line["event"] == "an event waits: it is too large to be sent"]
        assert 1 <= len(lines) <= 1 + (time.monotonic() - began) / TOO_LARGE_PAUSE

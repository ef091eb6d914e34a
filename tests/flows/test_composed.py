"""The composed stack, as a person starts it: built, healthy, loaded, asked, scaled and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.flows.conftest import AZ_FACTORS
from tests.flows.documents import EXPECTED
from tests.flows.scenario import Caller
from tests.flows.systems import eventually
from tests.flows.test_same_everywhere import worked_example

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]


@dataclass
class Composed:
    """One project of the compose file, on ports of its own."""

    name: str
    port: int
    kafka_port: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "EPIC_PORT": str(self.port), "KAFKA_PORT": str(self.kafka_port),
            "EPIC_NOW": "2024-06-15T09:00:00Z", "EPIC_MAIL_DOMAIN": "example.com", **AZ_FACTORS,
        }  # fmt: skip

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            logs = subprocess.run(
                ["docker", "compose", "-p", self.name, "logs", "--tail", "15"],
                cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            raise AssertionError(f"docker compose {arguments}:\n{done.stderr[-3000:]}\n{logs.stdout[-6000:]}")
        return done.stdout

    def epic(self, *arguments: str) -> str:
        """The epic command against the composed stack, as a person calls it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EPIC_")}
        environment |= {
            "EPIC_TRANSPORT": "kafka",
            "EPIC_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka_port}",
        }
        done = subprocess.run(
            [sys.executable, "-m", "epic", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"epic {arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    stack = Composed(f"epic-{uuid.uuid4().hex[:8]}", servers.free_port(), servers.free_port())
    try:
        stack.compose("up", "-d", "--build", "--wait", "--wait-timeout", "240")
        yield stack
    finally:
        stack.compose("down", "-v", "--timeout", "5")


@pytest.fixture
async def caller(composed: Composed, http: httpx.AsyncClient) -> Caller:
    for service in ("fleet_svc", "event_svc", "eventplan_svc", "hotw_svc", "notify_svc"):
        await eventually(
            f"{service} is ready",
            lambda service=service: http.get(composed.url(f"/{service}/health/ready")),  # type: ignore[misc]
            lambda answer: answer.status_code == 200,
            seconds=90,
        )
    return Caller(composed, http)


async def test_the_worked_example_leaves_the_same_documents(caller: Caller) -> None:
    assert await worked_example(caller) == EXPECTED.read_text()


async def test_what_the_gateway_refuses_is_a_problem_too(composed: Composed, http: httpx.AsyncClient) -> None:
    for answer, status in (
        (await http.get(composed.url("/nowhere")), 404),
        (await http.post(composed.url("/event"), content=b" " * 10_000_000), 413),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_the_command_loads_produces_and_tails(composed: Composed, caller: Caller, tmp_path: Path) -> None:
    sample = tmp_path / "sample.ndjson"
    await asyncio.to_thread(composed.epic, "sample", "--services", "3", "--fleets-per-service", "2", "--seed", "5",
                            "--event", "PD2024", "--out", str(sample))  # fmt: skip
    await asyncio.to_thread(composed.epic, "load", str(sample), "--url", composed.url(""))
    listed = await caller.call("GET", "/service?Limit=1000")
    assert len(listed["Items"]) >= 3

    body = tmp_path / "service.json"
    body.write_text(json.dumps({"ServiceId": "Produced", "ServiceType": "Onboarding", "Owner": "a@example.com"}))
    answer = await asyncio.to_thread(
        composed.epic, "produce", "fleet.commands", "--type", "CreateService", "--key", "Produced", str(body), "--json"
    )
    assert json.loads(answer)["Outcome"] == "Accepted"
    assert (await caller.call("GET", "/service/Produced"))["ServiceType"] == "Onboarding"


async def test_three_replicas_of_hotw_share_a_run(composed: Composed, caller: Caller) -> None:
    await asyncio.to_thread(
        composed.compose, "up", "-d", "--no-build", "--no-recreate", "--wait", "--scale", "hotw_svc=3"
    )
    running = composed.compose("ps", "--status", "running", "--format", "{{.Service}}").split()
    assert running.count("hotw_svc") == 3
    before = len(await caller.orders("PD2024", Limit="1000"))
    run = await caller.run("PD2024")
    assert run["Executions"] >= 1
    assert len(await caller.orders("PD2024", Limit="1000")) >= before

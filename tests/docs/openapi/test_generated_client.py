"""A client that a generator makes of EPIC's OpenAPI document plays the main job, a partial PUT included."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.openapi import running_epic
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

EVENT_ID, SERVICE_ID, FLEET_ID = "PD2024", "FORTRESSService", "FORTRESSService-NA-X0"
OTHER_ID = "PricingService"
CONFIGURATION = (
    "content_type_overrides: {application/x-ndjson: application/octet-stream, text/csv: application/octet-stream}"
)
"""The generator knows no other body of lines."""


class Generated:
    """The generated package: its models, and its operations by tag and name."""

    def __init__(self, package: str, url: str) -> None:
        self._package = package
        self.client = importlib.import_module(package).Client(url, raise_on_unexpected_status=True)
        self.models: Any = importlib.import_module(f"{package}.models")

    async def call(self, operation: str, *arguments: Any, **given: Any) -> Any:
        """The answer's headers and what it holds; ``operation`` is ``tag.name``."""
        module = importlib.import_module(f"{self._package}.api.{operation}")
        return await module.asyncio_detailed(*arguments, client=self.client, **given)

    async def do(self, operation: str, *arguments: Any, **given: Any) -> Any:
        """What an operation answers, which must be 200."""
        answer = await self.call(operation, *arguments, **given)
        assert answer.status_code == 200, f"{operation}: {answer.content.decode()}"
        return answer.parsed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The name of the generated package, which can be imported, and the address of the EPIC that it is of."""
    folder, package = tmp_path_factory.mktemp("generated"), "epic_client"
    with running_epic(folder, "--now", "2024-06-15T09:00:00Z") as address, pytest.MonkeyPatch.context() as patch:
        (folder / "openapi.json").write_bytes(httpx.get(f"{address}/openapi.json").raise_for_status().content)
        (folder / "client.yml").write_text(CONFIGURATION)
        generate = ["generate", "--path", "openapi.json", "--meta", "none", "--output-path", package]
        generate += ["--config", "client.yml"]
        done = subprocess.run(
            [sys.executable, "-m", "openapi_python_client", *generate, "--fail-on-warning"],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},  # it formats by ruff
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        patch.syspath_prepend(folder)
        yield package, address


@pytest.fixture
async def epic(made: tuple[str, str]) -> AsyncIterator[Generated]:
    generated = Generated(*made)
    async with generated.client:
        yield generated


async def test_a_generated_client_plays_the_main_job(epic: Generated) -> None:
    models = epic.models

    await epic.do(
        "service.create_service",
        body=models.CreateService(
            service_id=SERVICE_ID,
            service_type=models.ServiceType.REGISTERED,
            owner="owner@example.com",
            leader_alias="jsmith",
        ),
    )
    group = models.ASGPropertyInput(
        auto_scaling_group_name="FORTRESSService/NA/X0/Prod/1a", availability_zone="us-east-1a", desired_capacity=50
    )
    configuration = models.FleetConfigurationInput(
        region="us-east-1", host_through_put_tpm=250, buffer_percentage=10, max_host_count=200, asg_properties=[group]
    )
    fleet = models.CreateFleet(fleet_id=FLEET_ID, service_id=SERVICE_ID, fleet_configuration=configuration)
    await epic.do("fleet.create_fleet", body=fleet)
    await epic.do("fleet.report_inventory", FLEET_ID, body=models.ReportInventory(hosts_present=150))
    event = models.CreateEvent.from_dict(
        {
            "EventId": EVENT_ID,
            "EventName": "Prime Day 2024",
            "RegionList": ["us-east-1"],
            "PeakStartDate": "2024-07-16",
            "PeakEndDate": "2024-07-17",
        }
    )
    await epic.do("event.create_event", body=event)
    projection = models.CreateProjection(
        fleet_id=FLEET_ID, event_id=EVENT_ID, total_input_tpm=50_000, is_verified_by_owner=True
    )
    await epic.do("projection.create_projection", body=projection)

    def known(answer: Any) -> bool:
        found = answer.parsed
        return answer.status_code == 200 and found.fleets == found.projections == found.inventories == 1

    await eventually(lambda: epic.call("hotw.count_known_fleets", EVENT_ID), known, "HOTW knows the inputs")
    run = await epic.do("hotw.start_run", body=models.StartRun(event_id=EVENT_ID))
    await eventually(
        lambda: epic.do("hotw.get_run", run.run_id),
        lambda found: found.run_status == "Completed",
        "the run is complete",
    )
    (order,) = (await epic.do("hotw.list_orders", event_id=EVENT_ID)).items
    assert order.fulfillment_value == 50
    approval = models.ReviewOrder(decision=models.Decision.APPROVE)
    await epic.do("hotw.review_order", order.fulfillment_id, body=approval)
    delivered = await epic.do(
        "hotw.report_delivery", order.fulfillment_id, body=models.ReportDelivery(fulfilled_hosts=50)
    )
    assert delivered.fulfillment_status == "Fulfilled"
    for milestone in (models.MilestoneId.COMMUNICATETPMTODOWNSTREAM, models.MilestoneId.UPDATETHROTTLINGINSDC):
        status = models.SetMilestoneStatus(milestone, models.MilestoneStatus.COMPLETED)
        await epic.do("event_plan.set_milestone_status", EVENT_ID, FLEET_ID, body=status)

    def green(board: Any) -> bool:
        return bool(board.totals.by_colour["Green"] == 1)

    await eventually(
        lambda: epic.do("readiness.show_readiness_dashboard", EVENT_ID, body=models.DashboardQuery()),
        green,
        "the fleet is ready",
    )


async def test_a_generated_client_changes_one_member_of_the_version_it_read(epic: Generated) -> None:
    models = epic.models
    service = models.CreateService(OTHER_ID, models.ServiceType.REGISTERED, "owner@example.com", leader_alias="jsmith")
    created = await epic.call("service.create_service", body=service)

    changed = await epic.do(
        "service.update_service", OTHER_ID, body=models.UpdateService(owner="ann"), if_match=created.headers["ETag"]
    )
    assert (changed.owner, changed.leader_alias, changed.version_id) == ("ann", "jsmith", 2)
    stale = await epic.call(
        "service.update_service", OTHER_ID, body=models.UpdateService(owner="bob"), if_match=created.headers["ETag"]
    )
    assert (stale.status_code, stale.parsed.title) == (412, "Stale version")
    cleared = await epic.do("service.update_service", OTHER_ID, body=models.UpdateService(leader_alias=None))
    assert not cleared.leader_alias

"""Every topic read again from offset 0 by every consumer changes nothing, and tells nobody anything twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.schemas.topics import SERVICES
from tests.flows.conftest import SETTINGS
from tests.flows.documents import read_all, worked_example
from tests.flows.scenario import Caller
from tests.flows.systems import ROOT, RealStack
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.docker]
Offsets = dict[str, dict[TopicPartition, int]]


@asynccontextmanager
async def administering(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def committed(bootstrap: str) -> Offsets:
    """How far each of EPIC's groups has come, partition by partition."""
    async with administering(bootstrap) as admin:
        groups = [name for name, _ in await admin.list_consumer_groups() if "_svc." in name]
        found = [await admin.list_consumer_group_offsets(name) for name in groups]
    return {
        name: {key: meta.offset for key, meta in at.items() if meta.offset >= 0}
        for name, at in zip(groups, found, strict=True)
    }


def rewind(bootstrap: str, service: str) -> subprocess.CompletedProcess[str]:
    """`epic rewind`, as a person calls it."""
    command = [sys.executable, "-m", "epic", "rewind", service, "--bootstrap-servers", bootstrap, "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)


async def everything(caller: Caller) -> dict[str, Any]:
    """All that is read, with the histories: a version made by a replay would show."""
    pages = ("/eventplan/PD2024/FORTRESSService-NA-X0/versions", "/fleet/FORTRESSService-NA-X0/versions",
             "/hotw/executionDetail/PD2024/FORTRESSService-NA-X0", "/hotw/order?EventId=PD2024",
             "/hotw/dashboard/PD2024/Upscaling", "/notification?EventId=PD2024", "/ticket")  # fmt: skip
    return {"documents": await read_all(caller), **{page: await caller.call("GET", page) for page in pages}}


async def test_every_topic_replayed_from_offset_0_changes_nothing(
    fresh_stack: Callable[..., RealStack], tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = fresh_stack(tmp_path, environment=dict(SETTINGS))
    caller = Caller(stack, http)
    await stack.start()
    try:
        await worked_example(caller)
        await eventually(
            lambda: caller.call("GET", "/notification?EventId=PD2024&Status=Sent"),
            lambda page: len(page["Items"]) == 1,
            "the order summary is sent",
        )
        before = await everything(caller)
        refused = await asyncio.to_thread(rewind, stack.kafka, "fleet_svc")
        assert refused.stderr == "epic: fleet_svc is running; stop all its replicas first\n"
    finally:
        await stack.stop()

    reached = await committed(stack.kafka)
    assert {"eventplan_svc.events", "fleet_svc.commands"} <= set(reached), sorted(reached)
    set_back = 0
    for service in SERVICES:
        done = await asyncio.to_thread(rewind, stack.kafka, service)
        assert done.returncode == 0, done.stderr
        set_back += sum(row["Messages"] for row in json.loads(done.stdout))
    assert set_back == sum(sum(partitions.values()) for partitions in reached.values()) > 20
    assert {offset for at in (await committed(stack.kafka)).values() for offset in at.values()} == {0}

    await stack.start()
    try:
        await eventually(
            lambda: committed(stack.kafka),
            lambda now: all(
                now[group].get(key, 0) >= offset for group, at in reached.items() for key, offset in at.items()
            ),
            "every group has come as far as before",
        )
        assert await everything(caller) == before
        mails = [path for replica in stack.each() for path in (replica.folder / "mail").glob("*.eml")]
        assert len(mails) == 1
    finally:
        await stack.stop()

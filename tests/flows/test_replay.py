"""Every topic read again from offset 0 by every consumer changes nothing, and publishes nothing twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.schemas.topics import SERVICES
from tests.faults.quiet import Quiet
from tests.faults.topics import Topics, groups_of_epic
from tests.support.documents import read_all, worked_example
from tests.support.fresh_stacks import SETTINGS
from tests.support.scenario import Caller
from tests.support.stacks import ROOT, RealStack, running

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(1500)]
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
    """How far each of EPIC's groups has come that has taken anything in, partition by partition.

    The broker forgets the others within ten minutes of their last member's end.
    """
    async with administering(bootstrap) as admin:
        groups = [name for name, _ in await admin.list_consumer_groups() if "_svc." in name]
        found = [await admin.list_consumer_group_offsets(name) for name in groups]
    return {
        name: reached
        for name, at in zip(groups, found, strict=True)
        if (reached := {key: meta.offset for key, meta in at.items() if meta.offset >= 0})
    }


async def at_rest(stack: RealStack) -> None:
    """Returns when every record is taken in, and everything that follows from it is published, consumed and sent."""
    topics, groups = Topics(stack.kafka), await groups_of_epic()
    try:
        with closing(Quiet(topics, groups, stack.servers["mongo"].url, stack.mysql)) as quiet:
            await quiet.wait(mails_too=True)
    finally:
        await topics.stop()


def rewind(bootstrap: str, service: str) -> subprocess.CompletedProcess[str]:
    """`epic rewind`, as a person calls it."""
    command = [sys.executable, "-m", "epic", "rewind", service, "--bootstrap-servers", bootstrap, "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)


async def everything(caller: Caller) -> dict[str, Any]:
    """All that is read, with the histories: a version made by a replay would show."""
    pages = (
        "/eventplan/PD2024/FORTRESSService-NA-X0/versions",
        "/fleet/FORTRESSService-NA-X0/versions",
        "/hotw/executionDetail/PD2024/FORTRESSService-NA-X0",
        "/hotw/order?EventId=PD2024",
        "/hotw/dashboard/PD2024/Upscaling",
        "/notification?EventId=PD2024",
        "/ticket",
    )
    return {"documents": await read_all(caller), **{page: await caller.call("GET", page) for page in pages}}


async def test_every_topic_replayed_from_offset_0_changes_nothing(
    fresh_stack: Callable[..., RealStack], tmp_path: Path, http: httpx.AsyncClient
) -> None:
    stack = fresh_stack(tmp_path, environment=dict(SETTINGS))
    caller = Caller(stack, http)
    async with running(stack):
        await worked_example(caller)
        await at_rest(stack)
        before = await everything(caller)
        assert [mail["Status"] for mail in before["/notification?EventId=PD2024"]["Items"]] == ["Sent"]
        refused = await asyncio.to_thread(rewind, stack.kafka, "fleet_svc")
        assert refused.stderr == "epic: fleet_svc is running; stop all its replicas first\n"

    reached = await committed(stack.kafka)
    assert {"eventplan_svc.events", "fleet_svc.host-orders"} <= set(reached), sorted(reached)
    set_back = 0
    for service in SERVICES:
        done = await asyncio.to_thread(rewind, stack.kafka, service)
        assert done.returncode == 0, done.stderr
        set_back += sum(row["Messages"] for row in json.loads(done.stdout))
    assert set_back == sum(sum(partitions.values()) for partitions in reached.values()) > 20
    assert {offset for at in (await committed(stack.kafka)).values() for offset in at.values()} == {0}

    async with running(stack):
        await at_rest(stack)
        again = await committed(stack.kafka)
        assert all(again[group].get(key, 0) >= offset for group, at in reached.items() for key, offset in at.items())
        assert await everything(caller) == before
        mails = [path for replica in stack.each() for path in (replica.folder / "mail").glob("*.eml")]
        assert len(mails) == 1

"""``epic rewind`` on a data folder, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from shared.embedded import EmbeddedTransport
from shared.schemas.topics import Topic
from tests.support.epic_command import Run


async def consumed(folder: Path) -> None:
    """A data folder where two services have consumed three messages."""
    transport = EmbeddedTransport(folder)
    await transport.start()
    await transport.create_topics([Topic("event.created", 3)])
    producer = transport.producer()
    await producer.start()
    for value in (b"1", b"2", b"3"):
        await producer.send("event.created", value, key=value)
    await producer.stop()
    for group in ("hotw_svc.events", "notify_svc.events"):
        consumer, count = transport.consumer("event.created", group_id=group), 0
        await consumer.start()
        while count < 3:
            count += sum(map(len, (await consumer.getmany(timeout_ms=500)).values()))
        await consumer.commit()
        await consumer.stop()
    await transport.stop()


def test_one_services_groups_are_set_back(tmp_path: Path, run: Run) -> None:
    asyncio.run(consumed(tmp_path))
    _, output, _ = run("rewind", "hotw_svc", "--data", str(tmp_path), "--json")
    assert json.loads(output) == [{"Group": "hotw_svc.events", "Topic": "event.created", "Messages": 3}]
    assert "There are no messages for hotw_svc" in run("rewind", "hotw_svc", "--data", str(tmp_path))[1], "done already"
    output = run("rewind", "notify_svc", "--data", str(tmp_path), "--since", "2030-01-01T00:00:00Z")[1]
    assert output == "There are no messages for notify_svc from 2030-01-01T00:00:00Z on.\n"
    assert "Start notify_svc now." in run("rewind", "notify_svc", "--data", str(tmp_path))[1]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("rewind", "hotw"), "hotw is not a service of EPIC; give one of fleet_svc, event_svc"),
        (("rewind", "hotw_svc", "--since", "yesterday"), "give one such as 2024-06-15T09:00:00Z"),
        (("rewind", "hotw_svc", "--data", "/nowhere"), "/nowhere is not a data folder of an `epic up`"),
        (("rewind", "hotw_svc", "--data", "x", "--bootstrap-servers", "y:1"), "give one of them"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_remedy(run: Run, arguments: tuple[str, ...], remedy: str) -> None:
    code, _, complaint = run(*arguments)
    assert code == 2
    assert remedy in complaint

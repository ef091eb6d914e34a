"""Every service that reads events of others: read again from the first, they change nothing and publish nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from epic.rows import kinds
from epic.runner import build_of
from shared.envelope import Message
from shared.schemas.topics import COMMAND_RESULTS, SERVICES, TOPICS
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import Stack, open_stack
from tests.support.goldens import golden
from tests.support.waiting import until

EVENTS: Final = [topic for topic in TOPICS.values() if topic.message(topic.name) and topic.name != COMMAND_RESULTS]
READERS: Final = [service for service in SERVICES if any(service in topic.consumers for topic in EVENTS)]
OF_THE_KIT: Final = {"idempotency_records", "last_instant", "leases", "meta", "outbox"}
"""Tables that say what was done, and when, and not what came of it."""


def contents(folder: Path) -> dict[str, list[Any]]:
    """Every row of the service's stores."""
    found: dict[str, list[Any]] = {}
    for file in sorted(folder.glob("*.db")):
        if file.name == "messages.db":
            continue
        with closing(sqlite3.connect(file)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in sorted({*names} - OF_THE_KIT):
                if not name.startswith("sqlite_"):
                    found[f"{file.name} {name}"] = sorted(map(repr, database.execute(f'SELECT * FROM "{name}"')))
    return found


def is_at_rest(found: dict[str, list[Any]]) -> bool:
    """Whether no mail is due and no gap to be checked, which takes no message.

    A mail that may still grow waits for minutes (6.4.45).
    """
    mails, marks = found.get("notify.db notification.heads", ()), found.get("hotw.db gap_mark", ())
    return not marks and not any('"Status":"Pending"' in mail and "_NextAttempt" not in mail for mail in mails)


@pytest.mark.embedded
@pytest.mark.parametrize("service", READERS)
async def test_events_that_are_read_again_from_the_first_change_nothing(
    service: str, settings: Settings, clock: FixedClock
) -> None:
    """2.8a, 2.8b, of the golden events of every resource: alive, and once each was deleted."""
    others = [topic.name for topic in EVENTS if service in topic.consumers and topic.owner != service]
    events = [golden(name, name) for name in others]
    alive = [message for message in events if not message.topic.endswith(".deleted")]
    async with open_stack(Stack, settings, clock) as stack:
        await stack.start(build_of(service))
        commands = TOPICS[f"{service.removesuffix('_svc')}.commands"]
        for kind in kinds():  # its own documents, those first that others reference
            if commands.message(f"Create{kind}"):
                await stack.send(golden(commands.name, f"Create{kind}"))
                await stack.settled()
        own = [topic.name for topic in EVENTS if topic.owner == service]

        async def taken_in(messages: list[Message]) -> Any:
            await stack.send(*messages)
            await stack.settled()
            await until(lambda: is_at_rest(contents(settings.data_dir)), "every mail is sent and every gap checked")
            return contents(settings.data_dir), {name: len(await stack.published(name)) for name in own}

        for messages in (alive, [*alive, *(message for message in events if message not in alive)]):
            first = await taken_in(messages)
            assert any(first[0].values()), "the service keeps what it reads"
            assert await taken_in(messages) == first

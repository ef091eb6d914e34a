"""kcat, a Kafka client of others: what a test does with it needs none of EPIC's code, and no library of EPIC's."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.support.programs import program

_LONGEST: Final = 2_097_152  # bytes of a record's value: more than the broker takes


async def produce(
    bootstrap: str, topic: str, *, ce_type: str, ce_id: str, key: str, body: Any, user: str | None = None
) -> None:
    """Produces one command; it is acknowledged on return."""
    headers = {
        "ce_id": ce_id,
        "ce_source": "/kcat",
        "ce_type": ce_type,
        "ce_specversion": "1.0",
        "content-type": "application/json",
        **({"ce_user": user} if user else {}),
    }
    options = [part for name, value in headers.items() for part in ("-H", f"{name}={value}")]
    command = [_kcat(), "-P", "-b", bootstrap, "-t", topic, "-k", key, *options]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate(json.dumps(body).encode())
    assert process.returncode == 0, errors.decode()


@asynccontextmanager
async def consuming(bootstrap: str, topic: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The values of a topic, which are JSON, from its beginning on: the list grows as they come."""
    command = [_kcat(), "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-u", "-q"]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=_LONGEST)
    found: list[dict[str, Any]] = []

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            found.append(json.loads(line))

    reading = asyncio.create_task(read(), name=f"kcat reads {topic}")
    try:
        yield found
    finally:
        process.terminate()
        await process.wait()
        await reading


def _kcat() -> str:
    return program("kcat", package="kcat")

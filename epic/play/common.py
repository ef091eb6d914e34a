"""What several steps of the play need: waiting, loading the company, asking for each of many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

from epic import company
from epic.api import Api
from epic.failure import SOME_FAILED, CommandFailed
from epic.loading import RowFailure, load, read_rows
from epic.play import scenario
from epic.terminal import Terminal
from shared.tasks import for_each

Order = dict[str, Any]

COMPANY: Final = Path(company.__file__).parent
_AT_ONCE: Final = 16
_FIRST_PAUSE: Final = 0.02  # seconds between two looks: they double, so that a step of a moment costs a moment
_LONGEST_PAUSE: Final = 0.5


async def until(
    what: str,
    look: Callable[[], Awaitable[int]],
    wanted: int,
    *,
    seconds: float = 60,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Polls until there are at least ``wanted``; ``advance`` is called with each increase.

    CommandFailed after ``seconds`` without any progress: ``waited 60 s for plans: 38 of 40 so far``.
    """
    seen, pause = 0, _FIRST_PAUSE
    deadline = time.monotonic() + seconds
    while (now := await look()) < wanted:
        if now > seen:
            if advance:
                advance(now - seen)
            seen, pause, deadline = now, _FIRST_PAUSE, time.monotonic() + seconds
        if time.monotonic() > deadline:
            raise CommandFailed(
                f"waited {seconds:g} s for {what}: {seen} of {wanted} so far; the log says more", SOME_FAILED
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    if advance and wanted > seen:
        advance(wanted - seen)


async def load_company(api: Api, terminal: Terminal, *names: str) -> None:
    def failed(failure: RowFailure) -> None:
        raise CommandFailed(f"the sample company was refused: {failure.text()}", SOME_FAILED)

    for name in names:
        await load(read_rows([COMPANY / f"{name}.ndjson"]), api, terminal, failed=failed, user=scenario.OPERATOR)


async def each(terminal: Terminal, what: str, items: Iterable[Any], do: Callable[[Any], Awaitable[None]]) -> None:
    todo = list(items)
    with terminal.progress(what, len(todo)) as advance:

        async def one(item: Any) -> None:
            await do(item)
            advance(1)

        await for_each(todo, one, at_once=_AT_ONCE)


async def orders_of(api: Api, **filters: str) -> list[Order]:
    return await api.items("/hotw/order", {"EventId": scenario.EVENT_ID, **filters})


async def settled(api: Api) -> None:
    """Returns when no message waits to be published or handled anywhere."""

    async def at_rest() -> int:
        waiting = await api.ask("GET", "/embedded/waiting")
        return 0 if waiting["ToPublish"] or waiting["ToHandle"] else 1

    await until("every message to be handled", at_rest, 1)

"""Ends background tasks, and does many things at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AGAIN: Final = 16.0  # a transaction that is being committed gets 15 s to finish (relational.Database.write)


async def end(*tasks: asyncio.Task[Any], again: float = _AGAIN) -> None:
    """Cancels tasks and returns when all have ended. A task that had failed is logged.

    A task that does not end is cancelled again after ``again`` seconds. Before Python 3.12 ``asyncio.wait_for``, which
    drivers use, can lose a cancellation; the task would then never end.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=again)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a background task had ended by itself", task=task.get_name(), exc_info=error)


async def for_each(items: Collection[T], work: Callable[[T], Awaitable[object]], *, at_once: int) -> None:
    """Does the work for every item, for at most ``at_once`` at the same time, begun in their order.

    When one fails, the others are cancelled and its error is raised as it is, so that one that passes is known as such.
    """
    rest = iter(items)

    async def worker() -> None:
        for item in rest:
            await work(item)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(at_once, len(items))):
                workers.create_task(worker())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None

"""Ends background tasks."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

log = structlog.get_logger(__name__)

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

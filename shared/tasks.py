"""Owns how background tasks are ended."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

__all__ = ["end"]

log = structlog.get_logger(__name__)

_AGAIN: Final = 16.0  # longer than a transaction is let finish for (relational.Database.write)


async def end(*tasks: asyncio.Task[Any], again: float = _AGAIN) -> None:
    """Cancels tasks and returns when all have ended; one that had failed is logged.

    A task that goes on is cancelled again after so many seconds: until Python 3.12 ``asyncio.wait_for`` may take a
    cancellation for the end of its own wait, and drivers use it, so that a loop would go on for ever and its stop wait.
    """
    going = {task for task in tasks if not task.done()}
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=again)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a background task had ended by itself", task=task.get_name(), exc_info=error)

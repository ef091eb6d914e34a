"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def eventually(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], Any], what: str = "", *, seconds: float = 180
) -> T:
    """Looks until it holds, and gives what it saw; fails saying what was awaited and what was seen last."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} was awaited for {seconds:.0f} s; last seen: {seen!r}"[:4000])
        await asyncio.sleep(0.02)
    return seen


async def until(condition: Callable[[], Any], what: str = "", *, seconds: float = 180) -> None:
    """The same of a condition alone, sync or async."""

    async def look() -> Any:
        met = condition()
        return await met if inspect.isawaitable(met) else met

    await eventually(look, bool, what, seconds=seconds)

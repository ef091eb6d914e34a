"""Owns the two questions asked of a running service: is it alive, and can it do its work now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import EpicError

__all__ = ["Check", "Unready", "readiness"]

PATIENCE: Final = 3.0


class Unready(EpicError):
    """A check failed; the message says what is wrong and, where it can be told, the remedy."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something a service needs. ``ask`` answers details to show (or None), and raises when it is not well."""

    name: str
    ask: Callable[[], Awaitable[Mapping[str, Any] | None]]


async def readiness(checks: Sequence[Check], patience: float = PATIENCE) -> tuple[bool, dict[str, Any]]:
    """Asks everything at once, each for at most ``patience`` seconds; ready when all are well."""
    results = await asyncio.gather(*(_asked(check, patience) for check in checks))
    shown = {check.name: result for check, result in zip(checks, results, strict=True)}
    ready = all(result["Status"] == "Ok" for result in results)
    return ready, {"Status": "Ready" if ready else "Unready", "Checks": shown}


async def _asked(check: Check, patience: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(patience):
            details = await check.ask()
    except TimeoutError:
        return {"Status": "Failed", "Detail": f"no answer within {patience:g} s"}
    except Exception as error:
        return {"Status": "Failed", "Detail": str(error) or type(error).__name__}
    return {"Status": "Ok", **(details or {})}

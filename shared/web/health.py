"""Owns the two questions asked of a running service: is it alive, and can it do its work now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared.errors import EpicError

__all__ = ["Check", "Readiness", "Unready"]

log = structlog.get_logger(__name__)

PATIENCE: Final = 3.0


class Unready(EpicError):
    """A check failed; the message says what is wrong and, where it can be told, the remedy."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something a service needs. ``ask`` answers details to show (or None), and raises when it is not well."""

    name: str
    ask: Callable[[], Awaitable[Mapping[str, Any] | None]]


class Readiness:
    """Asks everything at once, each for at most ``patience`` seconds; ready when all are well. A change is logged."""

    def __init__(self, checks: Sequence[Check], patience: float = PATIENCE) -> None:
        self._checks = checks
        self._patience = patience
        self._failed: set[str] = set()

    async def ask(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, and what each check said."""
        results = await asyncio.gather(*(_asked(check, self._patience) for check in self._checks))
        shown = {check.name: result for check, result in zip(self._checks, results, strict=True)}
        failed = {name: result["Detail"] for name, result in shown.items() if result["Status"] == "Failed"}
        if failed.keys() - self._failed:
            log.warning("not ready", **failed)
        elif self._failed and not failed:
            log.info("ready again")
        self._failed = set(failed)
        return not failed, {"Status": "Unready" if failed else "Ready", "Checks": shown}


async def _asked(check: Check, patience: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(patience):
            details = await check.ask()
    except TimeoutError:
        return {"Status": "Failed", "Detail": f"no answer within {patience:g} s"}
    except Exception as error:
        return {"Status": "Failed", "Detail": str(error) or type(error).__name__}
    return {"Status": "Ok", **(details or {})}

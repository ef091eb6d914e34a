"""Readiness: whether a running service can do its work now, and what each of its checks found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared.errors import EpicError

log = structlog.get_logger(__name__)

_CHECK_TIMEOUT: Final = 3.0  # seconds; orchestrators give a probe five


class Unready(EpicError):
    """A check failed; the message says what is wrong and, where it is known, the remedy."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a service needs. ``run`` returns details to show, or None; it raises when the check fails."""

    name: str
    run: Callable[[], Awaitable[Mapping[str, Any] | None]]


class Readiness:
    """Runs all checks at once, each for at most ``timeout`` seconds; ready when all succeed. A change is logged."""

    def __init__(self, checks: Sequence[Check], timeout: float = _CHECK_TIMEOUT) -> None:
        self._checks = checks
        self._timeout = timeout
        self._failed: set[str] = set()

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether the service is ready, and the result of each check."""
        results = await asyncio.gather(*(_result(check, self._timeout) for check in self._checks))
        shown = {check.name: result for check, result in zip(self._checks, results, strict=True)}
        failed = {name: result["Detail"] for name, result in shown.items() if result["Status"] == "Failed"}
        if failed.keys() - self._failed:
            log.warning("not ready", **failed)
        elif self._failed and not failed:
            log.info("ready again")
        self._failed = set(failed)
        return not failed, {"Status": "Unready" if failed else "Ready", "Checks": shown}


async def _result(check: Check, timeout: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout):
            details = await check.run()
    except TimeoutError:
        return {"Status": "Failed", "Detail": f"no answer within {timeout:g} s"}
    except Exception as error:
        return {"Status": "Failed", "Detail": str(error) or type(error).__name__}
    return {"Status": "Ok", **(details or {})}

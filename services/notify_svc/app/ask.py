"""Asking for a mail: one notification per cause, however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from services.notify_svc.domain.delivery import traced
from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents

__all__ = ["Mails"]

_AT_ONCE: Final = 32


class Mails:
    """The notifications as use cases ask for them. ``wake`` tells the sender that there is something to do."""

    def __init__(self, notifications: Documents, wake: Callable[[], None]) -> None:
        self._notifications = notifications
        self._wake = wake
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, wanted: Sequence[tuple[dict[str, Any], Cause]]) -> None:
        """Makes the notifications that are not there yet; those that are were asked for by the same cause.

        Each keeps the trace of its cause, so that its sending is known to follow from it.
        """
        if wanted:
            await asyncio.gather(*(self._make(notification, cause) for notification, cause in wanted))
            self._wake()

    async def _make(self, notification: dict[str, Any], cause: Cause) -> None:
        state = traced(notification, cause.trace)

        def made(present: Document | None) -> Change | None:
            return Change(state, ()) if present is None else None

        async with self._turns:  # one message may ask for many, so its id cannot stand for the answer of one
            await self._notifications.update(state["NotificationId"], made, replace(cause, id=None))

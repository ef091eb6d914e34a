"""Asking for a mail: one notification per cause, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.notify_svc.domain.delivery import traced
from shared.cause import Cause
from shared.documents.contract import Documents

__all__ = ["Mails"]


class Mails:
    """The notifications as use cases ask for them. ``wake`` tells the sender that there is something to do."""

    def __init__(self, notifications: Documents, wake: Callable[[], None]) -> None:
        self._notifications = notifications
        self._wake = wake

    async def ask(self, wanted: Sequence[tuple[dict[str, Any], Cause]]) -> None:
        """Makes the notifications that are not there yet; those that are were asked for by the same cause.

        Each keeps the trace of its cause, so that its sending is known to follow from it.
        """
        if not wanted:
            return
        states = [traced(notification, cause.trace) for notification, cause in wanted]
        await self._notifications.create_many(
            [(state["NotificationId"], state) for state in states], None, wanted[0][1]
        )
        self._wake()

"""Use case: request mails, one notification per cause, however often it is requested."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Change, Document, Documents

RequestMails = Callable[[Sequence[tuple[Notification, Cause]]], Awaitable[None]]
"""``request_mails`` with its stores."""

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def request_mails(
    mails: Sequence[tuple[Notification, Cause]], *, notifications: Documents, wake: Callable[[], None]
) -> None:
    """Creates the notifications that do not exist yet, then wakes the sender."""
    for start in range(0, len(mails), _AT_ONCE):
        some = mails[start : start + _AT_ONCE]
        await asyncio.gather(*(_create(mail, cause, notifications) for mail, cause in some))
    if mails:
        wake()


async def _create(mail: Notification, cause: Cause, notifications: Documents) -> None:
    def created(present: Document | None) -> Change | None:
        return Change(mail.state(), ()) if present is None else None

    # One message may request many mails, so its id is not the id of one write.
    await notifications.update(mail.id, created, replace(cause, id=None))

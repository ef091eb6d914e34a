"""Use case: request mails, one notification per cause, however often it is requested."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Change, Documents
from shared.tasks import for_each

RequestMails = Callable[[Sequence[tuple[Notification, Cause]]], Awaitable[None]]
"""``request_mails`` with its stores."""

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def request_mails(
    mails: Sequence[tuple[Notification, Cause]], *, notifications: Documents, wake: Callable[[], None]
) -> None:
    """Creates the notifications that do not exist yet, then wakes the sender."""

    async def create(request: tuple[Notification, Cause]) -> None:
        mail, cause = request
        first = Change(mail.wire(), ())
        # One message may request many mails, so its id is not the id of one write.
        await notifications.update(mail.id, lambda present: None if present else first, replace(cause, id=None))

    await for_each(mails, create, at_once=_AT_ONCE)
    if mails:
        wake()

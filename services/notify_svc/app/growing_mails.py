"""Mails that grow while they wait: each line about a thing goes into the first mail that still takes it.

A mail takes lines until somebody has tried to send it. A line that comes later opens the next mail about the same
thing, and a line that a mail has already adds nothing. So neither a redelivered message nor another replica at the same
time repeats anything.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Change, Document, Documents
from shared.tasks import for_each
from shared.trace import Trace

K = TypeVar("K", bound=Hashable)
L = TypeVar("L")

Make = Callable[[K, int, list[L], Trace], Notification]
"""Makes the n-th mail about a thing, with its first lines."""
MissingIn = Callable[[Notification, list[L]], list[L]]
"""The lines that belong into another mail than this one, or are yet to be put into it."""
WithLines = Callable[[Notification, list[L]], Notification | None]
"""The mail with the lines that it lacks; None when it lacks none, or takes none any more."""

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def mail_lines(
    lines: Iterable[tuple[K, L, Cause]],
    *,
    make: Make[K, L],
    missing_in: MissingIn[L],
    with_lines: WithLines[L],
    notifications: Documents,
) -> None:
    """Mails each line together with the others about the same thing, the key; the first one's cause is the mail's.

    Idempotent, also while other processes do the same and the mails are sent.
    """
    by_key: dict[K, list[L]] = {}
    causes: dict[K, Cause] = {}
    for key, line, cause in lines:
        by_key.setdefault(key, []).append(line)
        causes.setdefault(key, cause)

    async def mail(key: K) -> None:
        """Offers the lines to one mail after the other, and opens the next where there is none."""
        # One message may be about several mails, so its id is not the id of one write.
        cause, waiting, number = replace(causes[key], id=None), by_key[key], 0
        while waiting:
            number += 1
            first = make(key, number, waiting, cause.trace)
            written = await notifications.update(first.id, partial(_extended, first, waiting, with_lines), cause)
            waiting = missing_in(Notification.model_validate(written.document.state), waiting)

    await for_each(by_key, mail, at_once=_AT_ONCE)


def _extended(first: Notification, lines: list[L], with_lines: WithLines[L], present: Document | None) -> Change | None:
    """The write of a mail with the lines: as ``first`` where it does not exist."""
    if present is None:
        return Change(first.wire(), ())
    longer = with_lines(Notification.model_validate(present.state), lines)
    return None if longer is None else Change(longer.wire(), ())

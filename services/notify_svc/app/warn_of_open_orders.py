"""Use case: an event stopped running; owner and leader of each service get a mail about the approved orders left open.

There is one mail per service and event, and it waits a while for the service's other fleets. A line goes into the
first mail that nobody has tried to send. A line that a mail has already adds nothing, so a redelivered fact or another
replica at the same time repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.notify_svc.domain.notification import Notification
from services.notify_svc.domain.open_orders import GATHERING, Line, first_mail, line_of, missing_in, with_lines
from shared.cause import Cause
from shared.documents import Change, Document, Documents, ReadModel
from shared.schemas.hotw_svc import HardwareFact

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def warn_of_open_orders(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
) -> None:
    """Takes ``hotw.order.reviewed`` facts; only those of an event that does not run, with open orders, count."""
    lines: dict[tuple[str, str], list[Line]] = {}
    causes: dict[tuple[str, str], Cause] = {}
    for fact, cause in facts:
        line = line_of(fact)
        if line is not None:
            lines.setdefault((fact.event_id, fact.service_id), []).append(line)
            causes.setdefault((fact.event_id, fact.service_id), cause)
    if not lines:
        return
    known = await events.get_many(sorted({event_id for event_id, _ in lines}))
    keys = list(lines)
    for start in range(0, len(keys), _AT_ONCE):
        await asyncio.gather(
            *(
                _warn(
                    known.get(event_id) or {"EventId": event_id},  # the name of a deleted event is gone
                    service_id,
                    lines[event_id, service_id],
                    causes[event_id, service_id],
                    notifications,
                    real_now() + GATHERING,
                )
                for event_id, service_id in keys[start : start + _AT_ONCE]
            )
        )


async def _warn(
    event: Mapping[str, Any],
    service_id: str,
    lines: list[Line],
    cause: Cause,
    notifications: Documents,
    until: datetime,
) -> None:
    """Puts each line into the first mail that takes it, and opens the next mail where none does."""
    number = 0
    while lines:
        number += 1
        mail = first_mail(
            event=event, service_id=service_id, number=number, lines=lines, until=until, trace=cause.trace
        )
        lines = await _add(lines, mail, cause, notifications)


async def _add(lines: list[Line], mail: Notification, cause: Cause, notifications: Documents) -> list[Line]:
    """Offers the lines to one mail, made as ``mail`` if it does not exist; the lines that it neither had nor took."""

    def extended(present: Document | None) -> Change | None:
        if present is None:
            return Change(mail.state(), ())
        longer = with_lines(Notification.of(present.state), lines)
        return None if longer is None else Change(longer.state(), ())

    # One message may be about several mails, so its id is not the id of one write.
    written = await notifications.update(mail.id, extended, replace(cause, id=None))
    return missing_in(Notification.of(written.document.state), lines)

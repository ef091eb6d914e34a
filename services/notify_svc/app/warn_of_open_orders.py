"""Use case: owner and leader of each service get a mail about the approved orders that withdrawn fleets leave open.

There is one mail per service and event, and it waits a while for the service's other fleets. A line goes into the
first mail that nobody has tried to send. A line that a mail has already adds nothing, so a redelivered fact or another
replica at the same time repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from services.notify_svc.domain.notification import Notification
from services.notify_svc.domain.open_orders import GATHERING, Line, first_mail, line_of, missing_in, with_lines
from shared.cause import Cause
from shared.documents import Change, Document, Documents, ReadModel
from shared.schemas.hotw_svc import HardwareFact
from shared.tasks import for_each

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def warn_of_open_orders(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
) -> None:
    """Takes ``hotw.order.reviewed`` facts; only those about a withdrawal that leaves orders open count."""
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

    async def warn(key: tuple[str, str]) -> None:
        """Puts each line into the first mail that takes it, and opens the next mail where none does."""
        event_id, service_id = key
        event = known.get(event_id) or {"EventId": event_id}  # the name of a deleted event is gone
        cause, waiting, number = causes[key], lines[key], 0
        make = partial(first_mail, event=event, service_id=service_id, until=real_now() + GATHERING, trace=cause.trace)
        while waiting:
            number += 1
            waiting = await _add(waiting, make(number=number, lines=waiting), cause, notifications)

    await for_each(lines, warn, at_once=_AT_ONCE)


async def _add(lines: list[Line], mail: Notification, cause: Cause, notifications: Documents) -> list[Line]:
    """Offers the lines to one mail, made as ``mail`` if it does not exist; the lines that it neither had nor took."""

    def extended(present: Document | None) -> Change | None:
        if present is None:
            return Change(mail.wire(), ())
        longer = with_lines(Notification.model_validate(present.state), lines)
        return None if longer is None else Change(longer.wire(), ())

    # One message may be about several mails, so its id is not the id of one write.
    written = await notifications.update(mail.id, extended, replace(cause, id=None))
    return missing_in(Notification.model_validate(written.document.state), lines)

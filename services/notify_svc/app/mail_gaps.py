"""Use case: owner and leader of each service get a mail about the gaps of its fleets, each gap once (7.10.19).

There is one mail per service and event, and it waits a while for the service's other fleets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from services.notify_svc.app.growing_mails import mail_lines
from services.notify_svc.domain.gaps import GATHERING, Line, first_mail, line_of, missing_in, with_lines
from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Documents, ReadModel
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

_Key = tuple[str, str]
"""EventId and ServiceId."""


async def mail_gaps(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
) -> None:
    """Takes ``hotw.gap.opened``."""
    lines: list[tuple[_Key, Line, Cause]] = [
        ((fact.event_id, fact.service_id), line, cause) for fact, cause in facts if (line := line_of(fact)) is not None
    ]
    known = await events.get_many(sorted({event_id for (event_id, _), _, _ in lines}))
    until = real_now() + GATHERING

    def make(key: _Key, number: int, first: list[Line], trace: Trace) -> Notification:
        event_id, service_id = key
        event = known.get(event_id) or {"EventId": event_id}  # the name of a deleted event is gone
        return first_mail(event=event, service_id=service_id, number=number, lines=first, until=until, trace=trace)

    await mail_lines(lines, make=make, missing_in=missing_in, with_lines=with_lines, notifications=notifications)

"""Use case: owner and leader of each service are mailed its late orders (7.8.46).

There is one mail per service and Event, and it waits a while for the service's other late orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from services.notify_svc.app.growing_mails import mail_lines
from services.notify_svc.domain.late_orders import GATHERING, Line, first_mail, lines_of, missing_in, with_lines
from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Documents, ReadModel
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

_Key = tuple[str, str]
"""EventId and ServiceId."""


async def mail_late_orders(
    facts: Sequence[tuple[HardwareFact, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
) -> None:
    """Takes ``hotw.order.placed`` and ``hotw.order.reviewed`` facts; an order is mailed once for each of its dates."""
    lines = [((fact.event_id, fact.service_id), line, cause) for fact, cause in facts for line in lines_of(fact)]
    if not lines:
        return
    known = await events.get_many(sorted({event_id for (event_id, _), _, _ in lines}))
    until = real_now() + GATHERING

    def make(key: _Key, number: int, first: list[Line], trace: Trace) -> Notification:
        event_id, service_id = key
        event = known.get(event_id) or {"EventId": event_id}
        return first_mail(event=event, service_id=service_id, number=number, lines=first, until=until, trace=trace)

    await mail_lines(lines, make=make, missing_in=missing_in, with_lines=with_lines, notifications=notifications)

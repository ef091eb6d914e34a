"""Use case: the owners of downstream services get a mail with an upstream service's TPM.

There is one mail per upstream service, downstream service, event and PeakTPM. It waits a while for the upstream's other
fleets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.notify_svc.app.growing_mails import mail_lines
from services.notify_svc.domain.notification import Notification
from services.notify_svc.domain.tpm import Line, Subject, first_mail, missing_in, with_lines
from shared.cause import Cause
from shared.documents import Documents, ReadModel
from shared.schemas.eventplan_svc import TPMRequested
from shared.trace import Trace

_Key = tuple[str, str, str]
"""EventId, the upstream ServiceId and the downstream ServiceId."""


async def mail_tpm(
    requests: Sequence[tuple[TPMRequested, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
    gathering: timedelta,
) -> None:
    """Takes ``eventplan.tpm.requested``. A mail waits for ``gathering``."""
    lines: list[tuple[_Key, Line, Cause]] = [
        (
            (request.event_id, request.service_id, service_id),
            {"FleetId": request.fleet_id, "PeakTPM": request.peak_tpm},
            cause,
        )
        for request, cause in requests
        for service_id in request.downstream_service_ids
    ]
    known = await events.get_many(sorted({event_id for (event_id, _, _), _, _ in lines}))
    until = real_now() + gathering

    def make(key: _Key, number: int, first: list[Line], trace: Trace) -> Notification:
        event_id, upstream, service_id = key
        name = (known.get(event_id) or {}).get("EventName", event_id)  # the name of a deleted event is gone
        subject: Subject = {
            "EventId": event_id,
            "EventName": name,
            "UpstreamServiceId": upstream,
            "ServiceId": service_id,
        }
        return first_mail(subject, number, first, until=until, trace=trace)

    await mail_lines(lines, make=make, missing_in=missing_in, with_lines=with_lines, notifications=notifications)

"""Use case: the owners of downstream services get a mail with an upstream service's TPM.

There is one mail per upstream service, downstream service, event and PeakTPM. It waits a while for the upstream's other
fleets. A PeakTPM goes into the first mail that nobody has tried to send. One that a mail has already adds nothing, so a
redelivered request or another replica at the same time repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from services.notify_svc.domain.notification import Notification
from services.notify_svc.domain.tpm import GATHERING, Line, Subject, first_mail, missing_in, with_lines
from shared.cause import Cause
from shared.documents import Change, Document, Documents, ReadModel
from shared.schemas.eventplan_svc import TPMRequested
from shared.tasks import for_each

_AT_ONCE: Final = 32  # documents; as many as the document stores write concurrently


async def mail_tpm(
    requests: Sequence[tuple[TPMRequested, Cause]],
    *,
    notifications: Documents,
    events: ReadModel,
    real_now: Callable[[], datetime],
) -> None:
    """Takes ``eventplan.tpm.requested``."""
    lines: dict[tuple[str, str, str], list[Line]] = {}
    causes: dict[tuple[str, str, str], Cause] = {}
    for request, cause in requests:
        for service_id in request.downstream_service_ids:
            key = request.event_id, request.service_id, service_id
            lines.setdefault(key, []).append({"FleetId": request.fleet_id, "PeakTPM": request.peak_tpm})
            causes.setdefault(key, cause)
    known = await events.get_many(sorted({event_id for event_id, _, _ in lines}))

    async def mail(key: tuple[str, str, str]) -> None:
        """Puts each line into the first mail that takes it, and opens the next mail where none does."""
        event_id, upstream, service_id = key
        name = (known.get(event_id) or {}).get("EventName", event_id)  # the name of a deleted event is gone
        subject: Subject = {
            "EventId": event_id,
            "EventName": name,
            "UpstreamServiceId": upstream,
            "ServiceId": service_id,
        }
        cause, waiting, number = causes[key], lines[key], 0
        make = partial(first_mail, subject, until=real_now() + GATHERING, trace=cause.trace)
        while waiting:
            number += 1
            waiting = await _add(waiting, make(number, waiting), cause, notifications)

    await for_each(lines, mail, at_once=_AT_ONCE)


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

"""The mail with a service's TPM to a service downstream of it: its fleets, each with its PeakTPM (6.4.44)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from services.notify_svc.domain.notification import TPM, Notification
from shared.trace import Trace


class Line(TypedDict):
    """A fleet of the upstream service, and its PeakTPM."""

    FleetId: str
    PeakTPM: int


class Subject(TypedDict):
    """What a mail is about: an event, by id and name, the service whose TPM it holds, and who gets it."""

    EventId: str
    EventName: str
    UpstreamServiceId: str
    ServiceId: str


def first_mail(subject: Subject, number: int, lines: Iterable[Line], *, until: datetime, trace: Trace) -> Notification:
    """The n-th mail about a subject. It is not sent before ``until`` (the machine's time) and may grow meanwhile."""
    event_id, upstream, service_id = subject["EventId"], subject["UpstreamServiceId"], subject["ServiceId"]
    cause = "\n".join((event_id, upstream, service_id))
    bare = Notification(
        id=f"{TPM}.{hashlib.blake2b(cause.encode(), digest_size=16).hexdigest()}.{number}",
        kind=TPM,
        cause=f"eventplan.tpm.requested {event_id} {upstream} {service_id} {number}",
        subject="",
        template="tpm",
        context={**subject, "Fleets": []},
        trace=trace,
        not_before=until,
        event_id=event_id,
        service_id=service_id,
        upstream_service_id=upstream,
    )
    return _having(bare, lines)


def missing_in(mail: Notification, lines: Iterable[Line]) -> list[Line]:
    """The lines that are not in a mail; once an attempt to send it has begun, those whose PeakTPM is not in it."""
    held = [] if not mail.is_untried else mail.context["Fleets"]
    return [line for line in lines if line not in held and (mail.is_untried or line["PeakTPM"] not in _tpms(mail))]


def with_lines(mail: Notification, lines: Iterable[Line]) -> Notification | None:
    """The mail with the lines that it lacks; None when it lacks none, or when an attempt to send it has begun.

    A fleet's newer PeakTPM replaces the one that was never sent.
    """
    fresh = missing_in(mail, lines)
    return _having(mail, fresh) if fresh and mail.is_untried else None


def _tpms(mail: Notification) -> tuple[int, ...]:
    return mail.peak_tpms or ()


def _having(mail: Notification, lines: Iterable[Line]) -> Notification:
    context: Mapping[str, Any] = mail.context
    by_fleet: dict[str, Line] = {line["FleetId"]: line for line in (*context["Fleets"], *lines)}
    tpms = sorted({line["PeakTPM"] for line in by_fleet.values()})
    shown = f"TPM of {tpms[0]:,}" if len(tpms) == 1 else f"TPM of {len(by_fleet)} fleets"
    return mail.having(
        subject=f"{shown} from {context['UpstreamServiceId']} for {context['EventName']}",
        context={**context, "Fleets": [by_fleet[name] for name in sorted(by_fleet)]},
        peak_tpms=tuple(tpms),
    )

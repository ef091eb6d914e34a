"""The mail that fleets lack hosts since an input changed: each gap once, with the others of its service (7.10.19)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from services.notify_svc.domain.notification import Notification
from shared.clock import iso
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace

_KIND: Final = "GapOpened"  # 8.1.14

GATHERING: Final = timedelta(seconds=30)
"""How long a mail waits for the service's other fleets. One changed Philosophy opens thousands within seconds."""


class Line(TypedDict):
    """A fleet's gap: how many hosts it lacks, and since when it lacks any. These two, not the number, name the gap."""

    FleetId: str
    Since: str
    Gap: int


def line_of(fact: HardwareFact) -> Line | None:
    """The line of a ``hotw.gap.opened``; None when it does not say since when."""
    if fact.since is None:
        return None
    return {"FleetId": fact.fleet_id, "Since": iso(fact.since), "Gap": fact.gap}


def first_mail(
    *, event: Mapping[str, Any], service_id: str, number: int, lines: Iterable[Line], until: datetime, trace: Trace
) -> Notification:
    """The n-th mail about a service's gaps. It may grow until ``until`` (the machine's time), and is sent then."""
    event_id = event["EventId"]
    about = hashlib.blake2b(f"{event_id}\n{service_id}".encode(), digest_size=16).hexdigest()
    bare = Notification(
        id=f"{_KIND}.{about}.{number}",
        kind=_KIND,
        cause=f"hotw.gap.opened {event_id} {service_id} {number}",
        subject="",
        template="gap_opened",
        context={
            "EventId": event_id,
            "EventName": event.get("EventName", event_id),
            "ServiceId": service_id,
            "Fleets": [],
        },
        trace=trace,
        not_before=until,
        event_id=event_id,
        service_id=service_id,
    )
    return _having(bare, lines)


def missing_in(mail: Notification, lines: Iterable[Line]) -> list[Line]:
    """The lines whose gap is in no line of a mail; while it may still grow, also those with another number of hosts."""
    held = {_key(line): line for line in mail.context["Fleets"]}
    if mail.is_untried:
        return [line for line in lines if line != held.get(_key(line))]
    return [line for line in lines if _key(line) not in held]


def with_lines(mail: Notification, lines: Iterable[Line]) -> Notification | None:
    """The mail with the lines that it lacks; None when it lacks none, or when an attempt to send it has begun."""
    fresh = missing_in(mail, lines)
    return _having(mail, fresh) if fresh and mail.is_untried else None


def _key(line: Line) -> tuple[str, str]:
    return line["FleetId"], line["Since"]


def _having(mail: Notification, lines: Iterable[Line]) -> Notification:
    context: Mapping[str, Any] = mail.context
    by_gap: dict[tuple[str, str], Line] = {_key(line): line for line in (*context["Fleets"], *lines)}
    fleets = [by_gap[key] for key in sorted(by_gap)]
    hosts = sum(line["Gap"] for line in fleets)
    count = "a fleet" if len(fleets) == 1 else f"{len(fleets):,} fleets"
    return mail.having(
        subject=f"{context['EventName']}: {count} of {context['ServiceId']} "
        f"{'lacks' if len(fleets) == 1 else 'lack'} {hosts:,} {'host' if hosts == 1 else 'hosts'}",
        context={**context, "Fleets": fleets, "Hosts": hosts},
    )

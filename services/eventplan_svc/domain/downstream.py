"""Who is downstream of a service: the services whose projections for an event name it as their upstream (6.4.41).

A fleet's projection names upstreams, and the fleet belongs to a service. What is kept of both is found by the event and
the upstream, so that nobody looks through all projections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.eventplan_svc.domain.facts import Downstream, Projection, TPMMail
from services.eventplan_svc.domain.inputs import Fleet
from shared.clock import iso
from shared.schemas.notify_svc.notification import NotificationSnapshot, NotificationStatus

Pair: TypeAlias = tuple[str, str]
"""An event and a service."""

_MOST_VERSIONS: Final = 1 << 20
"""More than any fleet has; with a projection's version it stays a number of 64 bits."""


@dataclass(frozen=True, slots=True)
class NamedUpstreams:
    """Every event and upstream that the projections of one fleet ever named; ``version`` counts the changes."""

    version: int = 0
    pairs: tuple[Pair, ...] = ()

    def with_pairs(self, pairs: Collection[Pair]) -> NamedUpstreams | None:
        """With these as well; None where they are there."""
        after = tuple(sorted({*self.pairs, *pairs}))
        return None if after == self.pairs else NamedUpstreams(self.version + 1, after)


@dataclass(frozen=True, slots=True)
class NamingFleet:
    """Whether a fleet's projection names an upstream, by the newest versions of the projection and of the fleet.

    ``downstream``: the key of event, upstream and the fleet's service while it does; None while it does not, or while
    the fleet is unknown or deleted. ``services``: every service that may be downstream by this fleet, or may have been.
    """

    version: int
    downstream: str | None
    services: tuple[str, ...]
    since: str


def naming_key(pair: Pair, name: str) -> str:
    """The key of event, upstream, and a fleet or a service."""
    return "#".join((*pair, name))


def naming_fleet(pair: Pair, projection: Projection, fleet: Fleet | None, held: NamingFleet | None) -> NamingFleet:
    """The entry of a fleet, which had the entry ``held``. No service is downstream of itself."""
    _, upstream = pair
    owner = None if fleet is None or fleet.service_id == upstream else fleet.service_id
    is_naming = not projection.deleted and upstream in projection.upstreams and fleet is not None and not fleet.deleted
    downstream = naming_key(pair, owner) if is_naming and owner is not None else None
    before = () if held is None else held.services
    since = max(projection.at, "" if fleet is None else fleet.changed_at)
    return NamingFleet(
        version=projection.version * _MOST_VERSIONS + (0 if fleet is None else min(fleet.version, _MOST_VERSIONS - 1)),
        downstream=downstream,
        services=before if owner is None else tuple(sorted({*before, owner})),
        since=held.since if held is not None and held.downstream == downstream else since,
    )


@dataclass(frozen=True, slots=True)
class DownstreamServices:
    """The services downstream of one service for one event, each with the instant since when."""

    version: int = 0
    services: tuple[tuple[str, str], ...] = ()

    def with_services(self, present: Mapping[str, str], gone: Collection[str]) -> DownstreamServices | None:
        """With the present ones and without those that are gone; None where it is so."""
        before = dict(self.services)
        after = {**present, **before}
        services = tuple((name, after[name]) for name in sorted(after) if name in present or name not in gone)
        return None if services == self.services else DownstreamServices(self.version + 1, services)


@dataclass(frozen=True, slots=True)
class TPMMails:
    """What became of the mails with one PeakTPM of one service for one event; ``version`` counts the changes."""

    version: int = 0
    mails: tuple[TPMMail, ...] = ()

    def with_mails(self, newest: Iterable[TPMMail]) -> TPMMails | None:
        """With these; None where nothing is new. A mail that is sent after it had failed is sent."""
        mails = {mail.service_id: mail for mail in self.mails}
        for mail in newest:
            known = mails.get(mail.service_id)
            if known is None or (mail.sent and not known.sent):
                mails[mail.service_id] = mail
        after = tuple(mails[name] for name in sorted(mails))
        return None if after == self.mails else TPMMails(self.version + 1, after)


def mails_key(pair: Pair, peak_tpm: int) -> str:
    """The key of the mails with one PeakTPM of one service for one event."""
    return naming_key(pair, str(peak_tpm))


def downstream_of(services: DownstreamServices, mails: TPMMails | None) -> tuple[Downstream, ...]:
    """The downstream services in order, each with what became of its mail."""
    by_service = {} if mails is None else {mail.service_id: mail for mail in mails.mails}
    return tuple(Downstream(name, since, by_service.get(name)) for name, since in services.services)


def tpm_mails(fact: NotificationSnapshot) -> list[tuple[int, TPMMail]]:
    """What became of each TPM that a mail to a downstream service holds; of any other mail nothing."""
    if fact.service_id is None or fact.status not in (NotificationStatus.SENT, NotificationStatus.FAILED):
        return []
    changed_at = fact.audit_metadata.timestamp
    is_sent = fact.status is NotificationStatus.SENT
    mail = TPMMail(fact.service_id, is_sent, iso(changed_at) if changed_at else "")
    return [(peak_tpm, mail) for peak_tpm in fact.peak_tpms or ()]

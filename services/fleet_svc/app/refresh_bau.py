"""Use case: works out the BAUTPM of fleets from their traffic, after a write of a day and at 00:00 (4.531c)."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from services.fleet_svc.app.fleets import Fleets
from services.fleet_svc.domain.bau import BAUTraffic, DayTraffic, bau_traffic, ordinary_days, window_of
from services.fleet_svc.domain.traffic import highest_in
from shared.cause import Cause
from shared.clock import Clock
from shared.documents import Change, Document, Documents, DocumentTypes, OutgoingEvent, State, Written
from shared.resources import ResourcesApart
from shared.schemas.fleet_svc.traffic import BAU_CHANGED, Traffic
from shared.tasks import for_each

_AT_ONCE: Final = 32  # more gain nothing: the store commits that many writes together
_EVENTS_FOR: Final = 5.0
"""Seconds for which the Events' days are taken from memory: a load of many days would read all Events for each."""


class EventDays:
    """The peak and game days of all Events. One that changes counts at most five seconds later in each process."""

    def __init__(self, fleets: Fleets) -> None:
        self._fleets = fleets
        self._events: list[State] = []
        self._read_at: float | None = None

    async def all(self) -> Sequence[Mapping[str, Any]]:
        if self._read_at is None or time.monotonic() - self._read_at > _EVENTS_FOR:
            began = time.monotonic()
            self._events = [event async for page in self._fleets.events.scan() for event in page]
            self._read_at = began
        return self._events

    def changed(self) -> None:
        """What is in memory is old."""
        self._read_at = None


@dataclass(frozen=True, slots=True)
class BAUStore:
    """What the BAUTPM of fleets is worked out from, and where it is kept: a document for each fleet with traffic."""

    traffic: ResourcesApart[Traffic]
    bau: Documents
    fleets: Fleets
    event_days: EventDays
    clock: Clock


def bau_documents(store: DocumentTypes) -> Documents:
    """The documents of BAUTPM, by FleetId. Their versions order ``traffic.bau.changed``."""
    return store.documents("traffic_bau")


async def bau_tpm_of(fleet_id: str, bau: Documents) -> int | None:
    """The BAUTPM of a fleet; None while its traffic says nothing."""
    document = await bau.latest(fleet_id)
    return None if document is None else document.state.get("BAUTPM")


async def on_traffic_changed(written: Written, cause: Cause, *, store: BAUStore) -> None:
    """After a write of a day."""
    await refresh_bau([written.document.state["FleetId"]], cause, store=store)


async def refresh_bau(fleet_ids: Collection[str], cause: Cause, *, store: BAUStore) -> None:
    """Keeps the BAUTPM of these fleets and publishes each that changed. Idempotent; safe beside other writers.

    Who wrote a BAUTPM looks again at the days that it is made of. Where one was written or another day has begun
    meanwhile, it is worked out once more, so the one that is written last is never an old one.
    """
    while fleet_ids:
        seen = await _days_of(fleet_ids, store)
        written = await _write(seen, cause, store)
        now = await _days_of(written, store)
        fleet_ids = [fleet_id for fleet_id in written if _versions(now[fleet_id]) != _versions(seen[fleet_id])]


async def _days_of(fleet_ids: Collection[str], store: BAUStore) -> dict[str, dict[date, Document]]:
    """The days of each fleet that are in the window now, in one read."""
    window = window_of(store.clock.now().date())
    keys = {f"{fleet_id}#{day}": (fleet_id, day) for fleet_id in fleet_ids for day in window}
    found: dict[str, dict[date, Document]] = {fleet_id: {} for fleet_id in fleet_ids}
    if keys:
        for key, document in (await store.traffic.documents.latest_many(list(keys))).items():
            fleet_id, day = keys[key]
            found[fleet_id][day] = document
    return found


def _versions(days: Mapping[date, Document]) -> dict[date, int]:
    return {day: document.version for day, document in days.items()}


async def _write(seen: Mapping[str, Mapping[date, Document]], cause: Cause, store: BAUStore) -> list[str]:
    """Works out and writes; the fleets whose BAUTPM is another one now, or could not be worked out."""
    bases = await store.fleets.bases.latest_many(list(seen))
    written: list[str] = []

    async def write(fleet_id: str) -> None:
        region = bases[fleet_id].state["FleetConfiguration"]["Region"]
        found = await _worked_out(seen[fleet_id], region, store)
        if found is None or await _keep(fleet_id, found, cause, store.bau):
            written.append(fleet_id)

    await for_each([fleet_id for fleet_id in seen if fleet_id in bases], write, at_once=_AT_ONCE)
    return written


async def _worked_out(seen: Mapping[date, Document], region: str, store: BAUStore) -> BAUTraffic | None:
    """What the days come to; None when one that has to be read in full is being deleted."""
    ordinary = ordinary_days(seen, await store.event_days.all(), region)
    days = {day: DayTraffic(seen[day].state["Minutes"], highest_in(seen[day].state)) for day in ordinary}
    found = bau_traffic(days)
    for day in found.read_whole:
        series = await store.traffic.value_of(seen[day])
        if series is None:
            return None
        days[day] = DayTraffic(len(series), sorted(series.values()))
    return bau_traffic(days) if found.read_whole else found


async def _keep(fleet_id: str, found: BAUTraffic, cause: Cause, bau: Documents) -> bool:
    """Writes the BAUTPM of a fleet; whether it is another one. The first is written also where there is none yet, so
    that the fleet is looked at every day.
    """
    known = {} if found.bau_tpm is None else {"BAUTPM": found.bau_tpm}

    def kept(present: Document | None) -> Change | None:
        if present is not None and present.state.get("BAUTPM") == found.bau_tpm:
            return None
        is_change = present is not None or found.bau_tpm is not None
        events = (OutgoingEvent(BAU_CHANGED),) if is_change else ()
        return Change({"FleetId": fleet_id, **known, "Minutes": found.minutes}, events)

    own = replace(cause, id=None, digest="", message=None, condition=None)
    return (await bau.update(fleet_id, kept, own)).changed

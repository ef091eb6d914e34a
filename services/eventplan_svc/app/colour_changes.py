"""Keeps the changes of plans' colours, in the order of their instants, so that they are found without a scan (4.155).

A change is announced before the plan is written, and read from the plan's own versions. So a change that can be seen
is in the list already, an announcement whose write failed or came to something else is left out, and what comes again
is announced again under the same key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.show_dashboard import known_event
from services.eventplan_svc.domain.colour_changes import colour_change
from services.eventplan_svc.domain.plan import Plan
from shared.clock import iso
from shared.documents import Documents, ReadModel, State

_ONCE: Final = 1  # an announcement has one version: one that is made again changes nothing


@dataclass(frozen=True, slots=True)
class Announcement:
    """That a plan's version, written at an instant, is to change its colour."""

    event_id: str
    at: str
    fleet_id: str
    version: int

    @property
    def key(self) -> str:
        """Its place: by event, then by instant."""
        return f"{_event_key(self.event_id)}{self.at}#{self.fleet_id}#{self.version:010d}"

    @property
    def plan_id(self) -> str:
        return f"{self.event_id}#{self.fleet_id}"

    def encode(self) -> State:
        return {"EventId": self.event_id, "At": self.at, "FleetId": self.fleet_id, "Version": self.version}

    @classmethod
    def decode(cls, state: Mapping[str, Any]) -> Announcement:
        return cls(state["EventId"], state["At"], state["FleetId"], state["Version"])


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Changes in wire form, oldest first; ``next_after`` asks for the rest, None where there is none by now."""

    items: list[dict[str, Any]]
    next_after: str | None


class ColourChanges:
    """The changes of colour of all plans. They are kept as long as the plans' versions are, for good."""

    def __init__(self, announced: ReadModel, documents: Documents) -> None:
        self._announced = announced
        self._documents = documents

    async def announce(self, plans: Iterable[tuple[Plan, int, datetime]]) -> None:
        """Announces these plans, each with the version that it is about to get, and when; idempotent, one write of
        all.
        """
        made = [Announcement(plan.event_id, iso(at), plan.fleet_id, version) for plan, version, at in plans]
        if made:
            await self._announced.put([(one.key, _ONCE, one.encode()) for one in made])

    async def of_event(self, event_id: str, *, since: datetime | None, after: str | None, limit: int) -> ChangesPage:
        """The changes at or after ``since``, from behind the place ``after`` on.

        A page costs a few reads, wherever it lies. An announcement that came to nothing costs its own share.
        """
        event_key = _event_key(event_id)
        place = max(after or "", event_key if since is None else event_key + iso(since))
        items: list[dict[str, Any]] = []
        last = ""
        async for states in self._announced.scan(after=place, page=limit + 1):
            announced = [one for one in map(Announcement.decode, states) if one.event_id == event_id]
            changes = await self._read(announced)
            for one in announced:
                if one.key not in changes:
                    continue
                if len(items) == limit:
                    return ChangesPage(items, last)
                items.append(changes[one.key])
                last = one.key
            if len(announced) < len(states):  # another event's begin here
                break
        return ChangesPage(items, None)

    async def _read(self, announced: Iterable[Announcement]) -> dict[str, dict[str, Any]]:
        """Those announcements that came true, by key: the version was written, at that instant, in another colour."""
        some = list(announced)
        wanted = {(one.plan_id, version) for one in some for version in (one.version - 1, one.version)}
        versions = await self._documents.versions(wanted)
        found: dict[str, dict[str, Any]] = {}
        for one in some:
            before, after = (versions.get((one.plan_id, number)) for number in (one.version - 1, one.version))
            if before is None or after is None or after.changed != one.at:
                continue
            change = colour_change(decode_plan(before.state), decode_plan(after.state))
            if change is not None:
                found[one.key] = {
                    "FleetId": one.fleet_id,
                    "From": change.before,
                    "To": change.after,
                    "EventMilestoneId": change.milestone_id,
                    "Reason": change.reason,
                    "Timestamp": one.at,
                }
        return found


def _event_key(event_id: str) -> str:
    return f"{event_id}@"


async def show_changes(
    event_id: str,
    *,
    since: datetime | None,
    after: str | None,
    limit: int,
    read_models: ReadModels,
    changes: ColourChanges,
) -> ChangesPage:
    """Use case: which plans of an event changed colour, and why. NotFound: the event is unknown or deleted."""
    await known_event(event_id, read_models)
    return await changes.of_event(event_id, since=since, after=after, limit=limit)

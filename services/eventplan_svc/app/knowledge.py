"""Owns what eventplan_svc keeps of other services' resources: events, fleets, services, and the facts about fleets.

Each is a replica fed by its owner's events: never older than what it holds, a tombstone kept like any other version.
Only what plans need is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from services.eventplan_svc.domain.facts import Fact, FactSheet, hardware_fact, projection_fact
from services.eventplan_svc.domain.plan import plan_id
from services.eventplan_svc.domain.surroundings import Event, Fleet, Service, Surroundings
from shared.documents.contract import ReadModel, State, Store

__all__ = ["NO_FACTS", "FactNotes", "Knowledge", "Snapshot", "is_base_line"]

Snapshot = Mapping[str, Any]

NO_FACTS: Final = FactSheet()
_VERSION: Final = "version"


def is_base_line(snapshot: Snapshot) -> bool:
    """Whether a fleet's snapshot is of its base line; an event's line changes nothing a plan stands on."""
    return snapshot.get("EventId") is None


@dataclass(slots=True)
class FactNotes:
    """Facts on their way into the replicas: of each kind the newest for each plan they are about."""

    projections: dict[str, Fact] = field(default_factory=dict)
    hardware: dict[str, Fact] = field(default_factory=dict)

    def note_projection(self, snapshot: Snapshot) -> str | None:
        """The id of the plan it is about; None for a projection no plan goes by."""
        return self._note(self.projections, projection_fact(snapshot), snapshot)

    def note_hardware(self, fact: Snapshot) -> str | None:
        """The same of any `hotw.*` fact about a fleet."""
        return self._note(self.hardware, hardware_fact(fact), fact)

    def _note(self, noted: dict[str, Fact], fact: Fact | None, said: Snapshot) -> str | None:
        if fact is None:
            return None
        key = plan_id(said["EventId"], said["FleetId"])
        if fact.is_newer_than(noted.get(key)):
            noted[key] = fact
        return key


class Knowledge:
    """The replicas, in the domain's words. Keys: EventId, FleetId, ServiceId; facts by EventPlanId."""

    def __init__(self, store: Store) -> None:
        self._events = store.read_model("event")
        self._services = store.read_model("service")
        self._fleets = store.read_model("fleet", filters=("service_id",))
        self._projections = store.read_model("projection")
        self._hardware = store.read_model("hardware")

    # -- taking in -----------------------------------------------------------------------------------------------------

    async def keep_events(self, snapshots: Iterable[Snapshot]) -> None:
        await _put(self._events, ((one["EventId"], one["VersionId"], Event.from_snapshot(one)) for one in snapshots))

    async def keep_services(self, snapshots: Iterable[Snapshot]) -> None:
        await _put(
            self._services, ((one["ServiceId"], one["VersionId"], Service.from_snapshot(one)) for one in snapshots)
        )

    async def keep_fleets(self, snapshots: Iterable[Snapshot]) -> None:
        """Base lines only; `is_base_line` tells them."""
        await _put(self._fleets, ((one["FleetId"], one["VersionId"], Fleet.from_snapshot(one)) for one in snapshots))

    async def keep_facts(self, notes: FactNotes) -> None:
        for replica, facts in ((self._projections, notes.projections), (self._hardware, notes.hardware)):
            if facts:
                await replica.put([(key, fact.version, NO_FACTS.noting(fact).wire()) for key, fact in facts.items()])

    # -- the three sides of a plan -------------------------------------------------------------------------------------

    async def events(self) -> list[Event]:
        """Every event ever heard of."""
        return [_event(state) async for page in self._events.scan() for state in page]

    async def event(self, event_id: str) -> Event | None:
        """None where it was never heard of; a deleted one says so itself."""
        state = await self._events.get(event_id)
        return _event(state) if state else None

    async def fleet(self, fleet_id: str) -> Fleet | None:
        state = await self._fleets.get(fleet_id)
        return _fleet(state) if state else None

    async def service(self, service_id: str) -> Service | None:
        state = await self._services.get(service_id)
        return _service(state) if state else None

    async def services_named(self, service_ids: Iterable[str]) -> dict[str, Service]:
        return {key: _service(state) for key, state in (await _many(self._services, service_ids)).items()}

    async def fleets_named(self, fleet_ids: Iterable[str]) -> dict[str, Fleet]:
        return {key: _fleet(state) for key, state in (await _many(self._fleets, fleet_ids)).items()}

    async def fleets_by_page(self, service_id: str | None = None) -> AsyncIterator[list[Fleet]]:
        """All fleets, or a service's, deleted ones included."""
        async for page in self._fleets.scan({"service_id": service_id} if service_id else None):
            yield [_fleet(state) for state in page]

    async def plan_ids(self, events: Iterable[Event]) -> AsyncIterator[list[str]]:
        """The id of every plan there may be of these events, some at a time.

        Plans are found by their ids, which any store does by its key, and not by what is in them.
        """
        for event in events:
            async for fleets in self.fleets_by_page():
                yield [plan_id(event.event_id, fleet.fleet_id) for fleet in fleets]

    async def versioned_services(self) -> AsyncIterator[tuple[Service, int]]:
        """Every service with its VersionId."""
        async for page in self._services.scan():
            for state in page:
                yield _service(state), state[_VERSION]

    async def versioned_fleets(self) -> AsyncIterator[tuple[Fleet, int]]:
        """Every fleet with its VersionId."""
        async for page in self._fleets.scan():
            for state in page:
                yield _fleet(state), state[_VERSION]

    async def surroundings(self, plans: Mapping[str, Mapping[str, Any]]) -> dict[str, Surroundings]:
        """What each plan stands between, by its id; one whose event or fleet was never heard of is left out."""
        events = {
            event_id: _event(state)
            for event_id, state in (await _many(self._events, (plan["EventId"] for plan in plans.values()))).items()
        }
        fleets = await self.fleets_named(plan["FleetId"] for plan in plans.values())
        services = await self.services_named(fleet.service_id for fleet in fleets.values())
        return {
            key: Surroundings(events[plan["EventId"]], fleet, services.get(fleet.service_id))
            for key, plan in plans.items()
            if plan["EventId"] in events and (fleet := fleets.get(plan["FleetId"])) is not None
        }

    # -- facts ---------------------------------------------------------------------------------------------------------

    async def facts_of(self, key: str) -> FactSheet:
        """The newest facts about one plan, made or not."""
        return (await self.facts_named([key])).get(key, NO_FACTS)

    async def facts_named(self, keys: Sequence[str]) -> dict[str, FactSheet]:
        """The same of many; those nothing is known about are left out."""
        projections, hardware = await _many(self._projections, keys), await _many(self._hardware, keys)
        return {
            key: FactSheet.from_wire({**projections.get(key, {}), **hardware.get(key, {})})
            for key in projections.keys() | hardware.keys()
        }


def _event(state: State) -> Event:
    return Event(**{**_own(state), "regions": tuple(state["regions"])})


def _fleet(state: State) -> Fleet:
    return Fleet(**_own(state))


def _service(state: State) -> Service:
    return Service(**_own(state))


def _own(state: State) -> State:
    return {name: value for name, value in state.items() if name != _VERSION}


async def _put(replica: ReadModel, known: Iterable[tuple[str, int, Event | Fleet | Service]]) -> None:
    """Keeps the newest of each key, as the domain sees it: what is deleted too, since plans ask about it as well."""
    newest: dict[str, tuple[int, Event | Fleet | Service]] = {}
    for key, version, one in known:
        if key not in newest or newest[key][0] < version:
            newest[key] = (version, one)
    await replica.put([(key, version, {**asdict(one), _VERSION: version}) for key, (version, one) in newest.items()])


async def _many(replica: ReadModel, keys: Iterable[str]) -> dict[str, State]:
    named = list(dict.fromkeys(keys))
    if not named:
        return {}
    if len(named) > 1:
        return await replica.get_many(named)
    state = await replica.get(named[0])
    return {named[0]: state} if state else {}

"""What eventplan_svc keeps of other services' resources: events, services, fleets, organizations, and facts.

Each read model is fed by its owner's events and never older than what it held. A deleted resource is kept like any
other version, because plans ask about it as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

from services.eventplan_svc.app.typed_read_models import RecordedReadModel, TypedReadModel
from services.eventplan_svc.domain.downstream import (
    DownstreamServices,
    NamedUpstreams,
    NamingFleet,
    TPMMails,
    downstream_of,
    mails_key,
)
from services.eventplan_svc.domain.facts import (
    NO_FACTS,
    AppliedLimits,
    BAUTraffic,
    Downstream,
    Facts,
    Hardware,
    Limits,
    Projection,
)
from services.eventplan_svc.domain.inputs import Event, Fleet, Organization, PlanInputs, Service
from services.eventplan_svc.domain.plan import Plan, plan_id
from shared.documents import Store
from shared.trace import new_id

_FEW: Final = 50  # above it, one look at all fleets costs less than a query for each service
_GENERATION: Final = "inputs"

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


class ReadModels:
    """The read models of one store.

    Keys: EventId, ServiceId, FleetId, OrganizationId; EventPlanId for facts, and FleetId for traffic.
    """

    def __init__(self, store: Store) -> None:
        self.events = RecordedReadModel(store, "event", Event)
        self.services = RecordedReadModel(store, "service", Service)
        self.fleets = RecordedReadModel(store, "fleet", Fleet, filters=("service_id",))
        self.organizations = RecordedReadModel(store, "organization", Organization)
        self.projections = TypedReadModel(store.read_model("projection"), Projection)
        self.hardware = TypedReadModel(store.read_model("hardware"), Hardware)
        self.limits = TypedReadModel(store.read_model("throttling"), Limits)
        self.applied = TypedReadModel(store.read_model("applied_throttling"), AppliedLimits)
        self.descale = TypedReadModel(store.read_model("descale_hardware"), Hardware)
        self.bau_traffic = TypedReadModel(store.read_model("bau_traffic"), BAUTraffic)
        self.named_upstreams = TypedReadModel(store.read_model("named_upstreams"), NamedUpstreams)
        self.naming_fleets = TypedReadModel(store.read_model("naming_fleet", filters=("downstream",)), NamingFleet)
        self.downstream_services = TypedReadModel(store.read_model("downstream"), DownstreamServices)
        self.tpm_mails = TypedReadModel(store.read_model("tpm_mail"), TPMMails)
        self._generations = store.read_model("generation")

    async def all_events(self) -> list[Event]:
        return [event async for page in self.events.pages() for event in page]

    async def fleets_of(self, service_ids: Collection[str]) -> list[Fleet]:
        """The fleets of these services. Of many services all fleets are looked through, once."""
        found: list[Fleet] = []
        one_by_one = len(service_ids) <= _FEW
        for where in [{"service_id": one} for one in service_ids] if one_by_one else [None]:
            async for page in self.fleets.pages(where):
                found += [fleet for fleet in page if fleet.service_id in service_ids]
        return found

    async def facts(self, services: Mapping[str, str]) -> dict[str, Facts]:
        """The newest facts by EventPlanId, of plans made or not; those without any are left out.

        ``services``: the service of each plan's fleet, by EventPlanId.
        """
        named, fleets = list(services), {key: key.partition("#")[2] for key in services}
        projections, hardware, limits, applied, descale, traffic = await asyncio.gather(
            self.projections.get_many(named),
            self.hardware.get_many(named),
            self.limits.get_many(named),
            self.applied.get_many(named),
            self.descale.get_many(named),
            self.bau_traffic.get_many(fleets.values()),
        )
        downstream = await self._downstream(projections, services) if projections else {}
        found = {
            key: Facts(
                projections.get(key),
                hardware.get(key),
                limits.get(key),
                applied.get(key),
                downstream.get(key, ()),
                descale.get(key),
                traffic.get(fleet_id),
            )
            for key, fleet_id in fleets.items()
        }
        return {key: facts for key, facts in found.items() if facts != NO_FACTS}

    async def facts_of(self, key: str) -> Facts:
        """The newest facts about one plan, made or not."""
        _, _, fleet_id = key.partition("#")
        fleet = await self.fleets.get(fleet_id)
        return (await self.facts({key: "" if fleet is None else fleet.service_id})).get(key, NO_FACTS)

    async def is_named(self, downstream: str) -> bool:
        """Whether any fleet names an upstream, by the key of event, upstream and the fleet's service."""
        async for page in self.naming_fleets.pages({"downstream": downstream}):
            return bool(page)
        return False

    async def _downstream(
        self, projections: Mapping[str, Projection], services: Mapping[str, str]
    ) -> dict[str, tuple[Downstream, ...]]:
        """The downstream services of each plan with a projection, with the mails of its PeakTPM."""
        pairs = {key: (key.partition("#")[0], services[key]) for key in projections}
        found = await self.downstream_services.get_many(plan_id(*pair) for pair in pairs.values())
        known = {key: found[plan_id(*pair)] for key, pair in pairs.items() if plan_id(*pair) in found}
        mails_of = {
            key: mails_key(pairs[key], peak_tpm)
            for key in known
            if (peak_tpm := projections[key].present_tpm) is not None
        }
        mails = await self.tpm_mails.get_many(mails_of.values()) if mails_of else {}
        return {key: downstream_of(one, mails.get(mails_of.get(key, ""))) for key, one in known.items()}

    async def inputs_of_fleets(self, event: Event, fleets: Iterable[Fleet]) -> list[PlanInputs]:
        """What the plans of these fleets for an event are computed from."""
        wanted = {plan_id(event.event_id, fleet.fleet_id): fleet for fleet in fleets}
        services = await self.services.get_many(fleet.service_id for fleet in wanted.values())
        facts = await self.facts({key: fleet.service_id for key, fleet in wanted.items()})
        return [
            PlanInputs(event, fleet, services.get(fleet.service_id), facts.get(key, NO_FACTS))
            for key, fleet in wanted.items()
        ]

    async def inputs_of_plans(self, plans: Iterable[Plan]) -> dict[str, PlanInputs]:
        """What each plan is computed from now, by its id; a plan whose event or fleet is unknown is left out."""
        by_id = {plan.id: plan for plan in plans}
        events = await self.events.get_many(plan.event_id for plan in by_id.values())
        fleets = await self.fleets.get_many(plan.fleet_id for plan in by_id.values())
        services = await self.services.get_many(fleet.service_id for fleet in fleets.values())
        of_fleets = {key: fleets[plan.fleet_id].service_id for key, plan in by_id.items() if plan.fleet_id in fleets}
        facts = await self.facts(of_fleets)
        return {
            key: PlanInputs(event, fleet, services.get(fleet.service_id), facts.get(key, NO_FACTS))
            for key, plan in by_id.items()
            if (event := events.get(plan.event_id)) and (fleet := fleets.get(plan.fleet_id))
        }

    # -- the generation ------------------------------------------------------------------------------------------------

    async def generation(self) -> int:
        """A number that grows when an input changed whose plan was not there.

        Whoever makes a plan compares it from before the inputs were read with it from after the plan was made. Where
        it has grown, the plan may be made of old inputs, while the handler of the new ones found no plan to refresh.
        """
        state = await self._generations.get(_GENERATION)
        return 0 if state is None else int(state["Number"])

    async def next_generation(self) -> None:
        """Makes the number grow. Several processes may do so at once."""
        held = False
        while not held:
            number = await self.generation() + 1
            state = {"Number": number, "By": new_id()}
            held = _GENERATION in await self._generations.put([(_GENERATION, number, state)])

"""Use case: build the readiness view from the stores, and keep it current by the events of every process."""

from __future__ import annotations

from services.eventplan_svc.app.plan_codec import decode_plan
from services.eventplan_svc.app.plan_store import PlanStore
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.inputs import Fleet, Organization, Service
from services.eventplan_svc.domain.plan import plan_id
from shared.schemas.eventplan_svc import EventPlanSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot
from shared.schemas.fleet_svc.organization import OrganizationSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot


async def build_view(*, plans: PlanStore, read_models: ReadModels, view: ReadinessView) -> None:
    """Puts in everything that is stored. May be repeated after a failure."""
    async for services in read_models.services.pages():
        for service in services:
            view.put_service(service)
    async for organizations in read_models.organizations.pages():
        for organization in organizations:
            view.put_organization(organization)
    events = await read_models.all_events()
    async for fleets in read_models.fleets.pages():
        for fleet in fleets:
            view.put_fleet(fleet)
        for event in events:  # plans are found by their ids, which any store does by its key
            for stored in await plans.get_many([plan_id(event.event_id, fleet.fleet_id) for fleet in fleets]):
                view.put(stored.version, stored.plan)
    view.complete.set()


def show(
    snapshot: EventPlanSnapshot | ServiceSnapshot | OrganizationSnapshot | FleetSnapshot, *, view: ReadinessView
) -> None:
    """Puts in a plan as another process wrote it, a service, an organization or a fleet.

    A fleet's line for an event changes nothing that the view shows.
    """
    match snapshot:
        case EventPlanSnapshot():
            view.put(snapshot.version_id, decode_plan(snapshot.wire()))
        case ServiceSnapshot():
            view.put_service(Service.of(snapshot))
        case OrganizationSnapshot():
            view.put_organization(Organization.of(snapshot))
        case FleetSnapshot(event_id=None):
            view.put_fleet(Fleet.of(snapshot))

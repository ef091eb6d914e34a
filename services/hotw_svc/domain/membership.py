"""Whether a fleet takes part in an event: what keeps it out of a run, what withdraws it later (HOTW rules 0 and 9)."""

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.wording import listed


def why_outside(event: EventFacts, *, service_id: str, region: str, service: ServiceFacts | None) -> tuple[str, ...]:
    """Why a fleet is not one of the event's, in sentences; nothing when a run of the event takes it (7.0.14)."""
    of_service = f"Its service {service_id} is not known." if service is None else _why_not_planned(service)
    return tuple(reason for reason in (of_service, _why_elsewhere(event, region)) if reason is not None)


def why_withdrawn(event: EventFacts, fleet: FleetFacts, service: ServiceFacts | None) -> str | None:
    """The first cause that withdraws a fleet with orders from the event (7.9.17 to 7.9.22); None where there is none.

    A service that is None withdraws nothing: the fleet came to it before its own event arrived.
    """
    if not event.is_active:
        return f"{event.event_id} is not active."
    if fleet.is_deleted:
        return f"Fleet {fleet.fleet_id} was deleted."
    if service is not None and service.is_deleted:
        return f"Its service {service.service_id} was deleted."
    of_service = None if service is None else _why_not_planned(service)
    return of_service or _why_elsewhere(event, fleet.region)


def _why_not_planned(service: ServiceFacts) -> str | None:
    if service.is_registered:
        return None
    return f"Its service {service.service_id} is {service.service_type}, not Registered."


def _why_elsewhere(event: EventFacts, region: str) -> str | None:
    if region in event.region_list:
        return None
    return f"Its region {region} is not in the RegionList of {event.event_id} ({listed(event.region_list)})."

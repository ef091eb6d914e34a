"""Whether a fleet takes part in an event: what keeps it out of a run, what withdraws it later (HOTW rules 0 and 9)."""

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts, ServiceFacts
from services.hotw_svc.domain.wording import listed


def why_outside(event: EventFacts, *, service_id: str, region: str, service: ServiceFacts | None) -> tuple[str, ...]:
    """Why a fleet is not one of the event's, in sentences; nothing when a run of the event takes it (7.0.14)."""
    found = []
    if service is None:
        found.append(f"Its service {service_id} is not known.")
    elif not service.is_registered:
        found.append(f"Its service {service_id} is {service.service_type}, not Registered.")
    if region not in event.region_list:
        found.append(f"Its region {region} is not in the RegionList of {event.event_id} ({listed(event.region_list)}).")
    return tuple(found)


def why_withdrawn(event: EventFacts, fleet: FleetFacts, service: ServiceFacts | None) -> str | None:
    """The first cause that withdraws a fleet with orders from the event (7.9.17 to 7.9.22); None where there is none.

    A service that is None was deleted, because hosts are ordered only for one that is known.
    """
    if not event.is_active:
        return f"{event.event_id} is not active."
    if fleet.is_deleted:
        return f"Fleet {fleet.fleet_id} was deleted."
    if service is None:
        return f"Its service {fleet.service_id} was deleted."
    reasons = why_outside(event, service_id=fleet.service_id, region=fleet.region, service=service)
    return next(iter(reasons), None)

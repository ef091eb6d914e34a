"""The reference's company for the rules of HOTW: FORTRESSService-NA-X0 and Prime Day 2024, each part replaceable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from services.hotw_svc.adapters.inputs.facts import (
    az_factors,
    event_facts,
    fleet_facts,
    projection_facts,
    service_facts,
)
from services.hotw_svc.domain.inputs import (
    AsgFacts,
    EventFacts,
    FleetFacts,
    Inputs,
    InventoryFacts,
    Philosophy,
    ProjectionFacts,
    RunFacts,
    ServiceFacts,
)
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.runs.execution import Execution, execute
from shared.schemas.hotw_svc import ExecutionStatus, OrderType
from tests.support import reference

NOW = datetime(2024, 6, 15, 9, 0, tzinfo=UTC)
PEAK = datetime(2024, 7, 16, tzinfo=UTC)
FACTORS = az_factors({"us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 1})


def asg_name(letter: str) -> str:
    return f"FORTRESSService/NA/X0/Prod/1{letter}"


FLEET: dict[str, Any] = {
    name: value for name, value in reference.FLEET.items() if name not in ("EventId", "HostOrderStatuses")
} | {"CapacityAsOf": "2024-06-01T10:00:00.000Z"}
SERVICE, EVENT, PROJECTION = reference.SERVICE, reference.EVENT, reference.PROJECTION
SUCCESS, PARTIAL, FAIL = ExecutionStatus.SUCCESS, ExecutionStatus.PARTIAL_SUCCESS, ExecutionStatus.FAIL


def fortress(
    *,
    event: Mapping[str, Any] | None = None,
    fleet: Mapping[str, Any] | None = None,
    service: Mapping[str, Any] | None = None,
    projection: Mapping[str, Any] | None = None,
    philosophy: Philosophy | None = None,
    run: Mapping[str, Any] | None = None,
    **others: Any,
) -> Inputs:
    """The reference's inputs with 150 hosts present; each mapping replaces attributes of that part of them."""
    facts_of_service: ServiceFacts = replace(service_facts(SERVICE), **(service or {}))
    if philosophy is not None:
        facts_of_service = replace(facts_of_service, philosophy=philosophy)
    facts_of_event: EventFacts = replace(event_facts(EVENT), **(event or {}))
    facts_of_fleet: FleetFacts = replace(fleet_facts(base=FLEET), **(fleet or {}))
    facts_of_projection: ProjectionFacts = replace(projection_facts(PROJECTION), **(projection or {}))
    given: dict[str, Any] = {
        "run": RunFacts(
            **{"run_id": 5, "created_at": NOW, "order_type": OrderType.STANDARD, "user": "jsmith", **(run or {})}
        ),
        "fleet_index_id": 42,
        "event": facts_of_event,
        "fleet": facts_of_fleet,
        "service": facts_of_service,
        "projection": facts_of_projection,
        "inventory": InventoryFacts(150, datetime(2024, 6, 14, 12, tzinfo=UTC)),
        "az_factors": FACTORS,
        **others,
    }
    return Inputs(**given)


def run(now: datetime = NOW, **changes: Any) -> Execution:
    """One execution of the reference's inputs, so changed."""
    return execute(fortress(**changes), now=now)


def asgs(*rooms: int | None, desired: int = 0, zones: str = "abcdefgh", **others: Any) -> tuple[AsgFacts, ...]:
    """ASGs a, b, c… with room for as many hosts as given (None: any number)."""
    return tuple(
        AsgFacts(
            name=asg_name(letter),
            zone=f"us-east-1{zone}",
            desired_capacity=desired,
            max_override_capacity=None if room is None else desired + room,
            **others,
        )
        for letter, zone, room in zip("abcdefgh", zones, rooms, strict=False)
    )


def order(letter: str = "a", **others: Any) -> Order:
    """A Pending order of 20 hosts for an ASG of the fleet."""
    given: dict[str, Any] = {
        "fulfillment_id": f"F4-42-{letter}",
        "run_id": 4,
        "execution_id": 7,
        "fleet_id": "FORTRESSService-NA-X0",
        "event_id": "PD2024",
        "asg_name": asg_name(letter),
        "zone": f"us-east-1{letter}",
        "order_type": OrderType.STANDARD,
        "value": 20,
        "placed_at": datetime(2024, 6, 10, 9, tzinfo=UTC),
        "status_since": datetime(2024, 6, 10, 9, tzinfo=UTC),
        "fulfillment_date": date(2024, 6, 24),
        **others,
    }
    return Order(**given)


def override(letter: str = "a", **others: Any) -> Override:
    """The Approved override of 70 on a base of 50 for an ASG of the fleet, in the event's planned window."""
    given: dict[str, Any] = {
        "run_id": 4,
        "fleet_id": "FORTRESSService-NA-X0",
        "event_id": "PD2024",
        "asg_name": asg_name(letter),
        "override_type": OrderType.STANDARD,
        "start": datetime(2024, 7, 15, tzinfo=UTC),
        "end": datetime(2024, 7, 19, tzinfo=UTC),
        "peak_end": datetime(2024, 7, 18, tzinfo=UTC),
        "start_offset": 1,
        "end_offset": 1,
        "base_capacity": 50,
        "value": 70,
        "expiry_value": 50,
        "justification": "PD2024",
        "status": OverrideStatus.APPROVED,
        **others,
    }
    return Override(**given)

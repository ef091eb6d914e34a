"""What every `hotw.*` fact about a fleet says: its latest execution that counts, and its orders.

The contract is HardwareFact (shared/schemas/hotw_svc.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.rows import Row, wire
from shared.clock import iso

_EXECUTION_MEMBERS = (
    "ExecutionId",
    "RunId",
    "OrderType",
    "Status",
    "Reasoning",
    "Needed",
    "RequiredHosts",
    "HostsPresentInApollo",
    "PendingEPICFMCHostOrder",
    "CapacityOverrideSum",
    "OrderedHosts",
    "Shortfall",
    "CapReason",
    "CreatedAt",
)


def fact_key(*, event_id: str, fleet_id: str, purpose: str) -> str:
    """The key all facts of a fleet, event and purpose share."""
    return f"{event_id}#{fleet_id}#{purpose}"


def hardware_fact(
    *,
    event_id: str,
    fleet_id: str,
    service_id: str,
    purpose: str,
    orders_version_id: int,
    occurred_at: datetime,
    orders: Iterable[Order],
    execution: Mapping[str, Any] | None,
    user: str | None = None,
    run_id: int | None = None,
    about: Sequence[str] = (),
) -> Row:
    """The content of one fact, absent members left out.

    `execution` is the columns of the latest execution that counts, with its ExecutionId; `orders` may be of any event
    and purpose of the fleet; `about` names the FulfillmentIds this fact is about.
    """
    fact: Row = {
        "EventId": event_id,
        "FleetId": fleet_id,
        "ServiceId": service_id,
        "Purpose": purpose,
        "OrdersVersionId": orders_version_id,
        "OccurredAt": iso(occurred_at),
        "FulfillmentIds": list(about),
        "Orders": [order_fact(o) for o in orders if o.event_id == event_id and o.purpose == purpose],
        "Gap": 0,
    }
    if user is not None:
        fact["User"] = user
    if run_id is not None:
        fact["RunId"] = run_id
    if execution is not None:
        fact["Execution"] = execution_fact(execution)
    return fact


def execution_fact(columns: Mapping[str, Any]) -> Row:
    """What a fact says of an execution."""
    return wire({name: columns[name] for name in _EXECUTION_MEMBERS if columns[name] is not None})


def order_fact(order: Order) -> Row:
    """What a fact says of one order, whose execution is stored."""
    said: Row = {
        "FulfillmentId": order.fulfillment_id,
        "ExecutionId": order.execution_id,
        "RunId": order.run_id,
        "AutoScalingGroupName": order.asg_name,
        "AvailabilityZone": order.zone,
        "FulfillmentType": order.order_type.value,
        "FulfillmentStatus": order.status.value,
        "EverApproved": order.approved_at is not None,
        "FulfillmentValue": order.value,
        "FulfilledHosts": order.fulfilled_hosts,
        "FulfillmentDate": order.fulfillment_date.isoformat(),
        "Superseded": order.superseded,
    }
    if order.reason is not None:
        said["Reason"] = order.reason
    return said

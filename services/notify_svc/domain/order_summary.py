"""The mail about one run's orders for one service: each fleet's hosts by zone, and what comes too late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from services.notify_svc.domain.notification import Notification, notification_id
from shared.schemas.hotw_svc import ExecutionStatus, HardwareFact, OrderType, RunFact, ServiceOrders
from shared.trace import Trace


class Line(TypedDict):
    """One fleet of a summary, as the template shows it."""

    FleetId: str
    ExecutionId: int
    OrderedHosts: int
    Zones: list[dict[str, Any]]
    RequiredHosts: int | None
    HostsPresentInApollo: int | None
    Shortfall: int | None
    Partial: bool
    Reasoning: str | None
    DueBy: str


class Digest(TypedDict):
    """The lines gathered so far of one run and service; ``Merges`` grows with each addition."""

    Merges: int
    Fleets: list[Line]


def digest_key(run_id: int, service_id: str) -> str:
    """The key of the digest of one run and service."""
    return f"{run_id}#{service_id}"


def line_of(fact: HardwareFact) -> Line | None:
    """The line of a ``hotw.order.placed``; None when its execution ordered nothing."""
    execution = fact.execution
    if execution is None or fact.run_id is None:
        return None
    placed = [order for order in fact.orders if order.run_id == fact.run_id]
    if not placed:
        return None
    zones: dict[str, int] = {}
    for order in placed:
        zones[order.zone] = zones.get(order.zone, 0) + order.fulfillment_value
    return {
        "FleetId": fact.fleet_id,
        "ExecutionId": execution.execution_id,
        "OrderedHosts": sum(zones.values()),
        "Zones": [{"AvailabilityZone": zone, "Hosts": hosts} for zone, hosts in sorted(zones.items())],
        "RequiredHosts": execution.required_hosts,
        "HostsPresentInApollo": execution.hosts_present_in_apollo,
        "Shortfall": execution.shortfall,
        "Partial": execution.status == ExecutionStatus.PARTIAL_SUCCESS,
        "Reasoning": execution.reasoning,
        "DueBy": max(order.fulfillment_date for order in placed).isoformat(),
    }


def merged(digest: Digest | None, lines: Iterable[Line]) -> Digest:
    """The digest with more fleets, each once; the same object when nothing is new."""
    present = {line["FleetId"]: line for line in (digest["Fleets"] if digest else ())}
    fresh = {line["FleetId"]: line for line in lines if line["FleetId"] not in present}
    if digest is not None and not fresh:
        return digest
    fleets = sorted([*present.values(), *fresh.values()], key=lambda line: line["FleetId"])
    return {"Merges": (digest["Merges"] if digest else 0) + 1, "Fleets": fleets}


def is_complete(digest: Digest, orders: ServiceOrders) -> bool:
    """Whether the digest has as many fleets as the run's executions ordered for."""
    return len(digest["Fleets"]) >= orders.ordering_executions


def summary_mail(
    run: RunFact, service_id: str, *, event: Mapping[str, Any], fleets: Sequence[Line], trace: Trace
) -> Notification:
    """The one mail of a run and service. ``Late``: the fleets whose hosts come only after the peak has started."""
    peak = event.get("PeakStartDate")
    hosts = sum(line["OrderedHosts"] for line in fleets)
    event_name = event.get("EventName", event["EventId"])
    is_emergent = run.order_type == OrderType.EMERGENT
    kind = "EMERGENT hardware order" if is_emergent else "Hardware order"
    return Notification(
        id=notification_id("HardwareOrder", str(run.run_id), service_id),
        kind="HardwareOrder",
        cause=f"hotw.run.completed {digest_key(run.run_id, service_id)}",
        subject=f"{kind}: {hosts} {'host' if hosts == 1 else 'hosts'} for {service_id}, {event_name}",
        template="hardware_order",
        context={
            "ServiceId": service_id,
            "EventId": event["EventId"],
            "EventName": event_name,
            "PeakStartDate": peak,
            "Emergent": is_emergent,
            "RunId": run.run_id,
            "OrderedHosts": hosts,
            "Fleets": list(fleets),
            "Late": [line["FleetId"] for line in fleets if peak and line["DueBy"] >= peak],
            "Short": [line["FleetId"] for line in fleets if line["Shortfall"]],
        },
        trace=trace,
        event_id=run.event_id,
        service_id=service_id,
        run_id=run.run_id,
    )

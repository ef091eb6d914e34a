"""What one service is told of one run: each fleet that ordered, its hosts by zone, and what comes too late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.schemas.hotw_svc import ExecutionStatus, HardwareFact, OrderType, ServiceOrders

__all__ = ["Line", "digest_key", "is_complete", "line_of", "merged", "subject_of", "summary_of"]

Line = dict[str, Any]
Digest = dict[str, Any]


def digest_key(run_id: int, service_id: str) -> str:
    """What a run's orders of one service are gathered under: the cause of its one mail."""
    return f"{run_id}#{service_id}"


def line_of(fact: HardwareFact) -> Line | None:
    """One fleet's line of the summary, out of a ``hotw.order.placed``; None when its execution ordered nothing."""
    execution = fact.execution
    if execution is None or fact.run_id is None:
        return None
    placed = [order for order in fact.orders if order.run_id == fact.run_id]
    if not placed:
        return None
    zones: dict[str, int] = {}
    for order in placed:
        zones[order.availability_zone] = zones.get(order.availability_zone, 0) + order.fulfillment_value
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
    """A digest with more fleets in it, each once, and its next number; the same digest when nothing is new."""
    present = {line["FleetId"]: line for line in (digest or {}).get("Fleets", ())}
    fresh = {line["FleetId"]: line for line in lines if line["FleetId"] not in present}
    if digest is not None and not fresh:
        return digest
    fleets = sorted([*present.values(), *fresh.values()], key=lambda line: str(line["FleetId"]))
    return {"Merges": (digest or {}).get("Merges", 0) + 1, "Fleets": fleets}


def is_complete(digest: Digest | None, told: ServiceOrders) -> bool:
    """Whether as many facts are in as the run says its executions ordered."""
    return digest is not None and len(digest["Fleets"]) >= told.ordering_executions


def summary_of(
    *, service: str, event: Mapping[str, Any], order_type: OrderType, run_id: int, fleets: Sequence[Line]
) -> dict[str, Any]:
    """What the templates are given. ``Late``: the fleets whose hosts come only after the peak starts."""
    peak = event.get("PeakStartDate")
    return {
        "ServiceId": service,
        "EventId": event["EventId"],
        "EventName": event.get("EventName", event["EventId"]),
        "PeakStartDate": peak,
        "Emergent": order_type == OrderType.EMERGENT,
        "RunId": run_id,
        "OrderedHosts": sum(line["OrderedHosts"] for line in fleets),
        "Fleets": list(fleets),
        "Late": [line["FleetId"] for line in fleets if peak and line["DueBy"] >= peak],
        "Short": [line["FleetId"] for line in fleets if line["Shortfall"]],
    }


def subject_of(summary: Mapping[str, Any]) -> str:
    """The mail's subject: what a person must know without opening it."""
    hosts = summary["OrderedHosts"]
    kind = "EMERGENT hardware order" if summary["Emergent"] else "Hardware order"
    return f"{kind}: {hosts} {'host' if hosts == 1 else 'hosts'} for {summary['ServiceId']}, {summary['EventName']}"

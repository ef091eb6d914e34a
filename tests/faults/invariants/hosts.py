"""What must hold of HOTW's rows: runs, executions, orders, overrides, the dashboard, and the plans that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.faults.ledger import Ledger
from tests.faults.picture import Picture, Row

_DEAD = ("Rejected", "Cancelled", "Expired")
_LIVE_OVERRIDES = ("Proposed", "Approved", "Started")


def runs_have_ended(picture: Picture, ledger: Ledger) -> list[str]:
    """No run is Running, and none has a fleet left to be worked off."""
    wrong = [f"run {run['RunId']} is Running" for run in picture.table("hotw_run") if run["RunStatus"] == "Running"]
    return wrong + [f"{row['FleetId']} of run {row['RunId']} is still to be done" for row in picture.table("run_fleet")]


def one_execution_per_fleet_and_run(picture: Picture, ledger: Ledger) -> list[str]:
    """Each fleet of a completed run has its execution, once; a cancelled one has no more than its fleets."""
    done = Counter((row["RunId"], row["FleetId"]) for row in picture.table("hotw_execution"))
    wrong = [f"run {run}, {fleet}: {count} executions" for (run, fleet), count in done.items() if count > 1]
    per_run = Counter(run for run, _ in done)
    runs = {run["RunId"]: run for run in picture.table("hotw_run")}
    for number, run in runs.items():
        count, fleets = per_run[number], run["Fleets"]
        if count > fleets or (run["RunStatus"] == "Completed" and count != fleets):
            wrong.append(f"run {number} of {fleets} fleets is {run['RunStatus']} with {count} executions")
    return wrong + [
        f"executions of run {number}, which is not there" for number in sorted(per_run.keys() - runs.keys())
    ]


def hosts_add_up(picture: Picture, ledger: Ledger) -> list[str]:
    """Orders, executions, overrides, what a run recommended and the dashboard all say the same number of hosts."""
    orders = picture.table("fulfillment_details")
    return [
        *_executions(picture, orders),
        *_recommended(picture, orders),
        *_overrides(picture, orders),
        *_dashboards(picture, orders),
    ]


def _executions(picture: Picture, orders: list[Row]) -> list[str]:
    ordered = _sums(orders, "ExecutionId")
    wrong = []
    for row in picture.table("hotw_execution"):
        found = ordered.pop((row["ExecutionId"],), 0)
        if found != row["OrderedHosts"]:
            wrong.append(
                f"execution {row['ExecutionId']} ordered {row['OrderedHosts']} hosts, its orders are for {found}"
            )
    return wrong + [f"orders of execution {number}, which is not there" for (number,) in ordered]


def _recommended(picture: Picture, orders: list[Row]) -> list[str]:
    by_asg = _sums(orders, "RunId", "FleetId", "AutoScalingGroupName")
    snapshots = {
        (row["RunId"], row["FleetId"], row["AutoScalingGroupName"]): row["RecommendedOverrideValue"]
        for row in picture.table("asg_details_run")
    }
    return [
        f"run, fleet and ASG {key}: {snapshots.get(key, 0)} recommended, {by_asg.get(key, 0)} ordered"
        for key in sorted(by_asg.keys() | snapshots.keys())
        if by_asg.get(key, 0) != snapshots.get(key, 0)
    ]


def _overrides(picture: Picture, orders: list[Row]) -> list[str]:
    raised: dict[tuple[Any, ...], int] = {}
    for order in orders:
        key = (order["EventId"], order["FleetId"], order["AutoScalingGroupName"])
        raised[key] = raised.get(key, 0) + _overriding(order)
    wrong, live = [], Counter[tuple[Any, ...]]()
    for row in picture.table("capacity_override_details"):
        if row["OverrideStatus"] not in _LIVE_OVERRIDES:
            continue
        key = (row["EventId"], row["FleetId"], row["AutoScalingGroupName"])
        live[key] += 1
        if row["OverrideValue"] - row["BaseCapacity"] != raised.get(key, 0):
            wrong.append(
                f"the override {key} adds {row['OverrideValue'] - row['BaseCapacity']}, its orders {raised.get(key, 0)}"
            )
    return wrong + [f"{key} has {count} live overrides" for key, count in live.items() if count > 1]


def _overriding(order: Row) -> int:
    """What an order adds to its ASG's override (HOTW rule 9)."""
    status = order["FulfillmentStatus"]
    granted = status in ("Approved", "Fulfilled") or (status == "Delayed" and order["ApprovedAt"] is not None)
    return int(order["FulfillmentValue"] if granted else order["FulfilledHosts"])


def _dashboards(picture: Picture, orders: list[Row]) -> list[str]:
    live = _sums(
        [order for order in orders if order["FulfillmentStatus"] not in _DEAD], "EventId", "FleetId", "Purpose"
    )
    delivered = _sums(orders, "EventId", "FleetId", "Purpose", of="FulfilledHosts")
    wrong = [
        f"order {order['FulfillmentId']} says {order['FulfilledHosts']} delivered, its deliveries {order['Deliveries']}"
        for order in orders
        if sum(one["Hosts"] for one in order["Deliveries"]) != order["FulfilledHosts"]
    ]
    for row in picture.table("hotw_dashboard"):
        key = (row["EventId"], row["FleetId"], row["Purpose"])
        found = (live.pop(key, 0), delivered.get(key, 0))
        if found != (row["CapacityOverrideSum"], row["FulfilledHosts"]):
            shown = (row["CapacityOverrideSum"], row["FulfilledHosts"])
            wrong.append(f"the dashboard of {key} shows {shown} ordered and delivered, its orders {found}")
    return wrong + [f"live orders of {key}, which the dashboard does not show" for key in live]


def _sums(rows: Iterable[Row], *by: str, of: str = "FulfillmentValue") -> dict[tuple[Any, ...], int]:
    found: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = tuple(row[name] for name in by)
        found[key] = found.get(key, 0) + row[of]
    return found


def no_host_is_ordered_twice(picture: Picture, ledger: Ledger) -> list[str]:
    """Once all is quiet and run again, the live orders of a fleet and event are exactly what it needs.

    The need only ever grew, so whatever was ordered before it was known in full counts towards it.
    """
    live = _sums(
        [o for o in picture.table("fulfillment_details") if o["FulfillmentStatus"] not in _DEAD], "EventId", "FleetId"
    )
    return [
        f"{pair} needs {hosts} hosts and has {live.get(pair, 0)} on order"
        for pair, hosts in sorted(ledger.hosts.items())
        if live.get(pair, 0) != hosts
    ]


def plans_show_what_was_ordered(picture: Picture, ledger: Ledger) -> list[str]:
    """The plan of a fleet and event shows the hosts HOTW has on order for it: its newest fact arrived."""
    plans = picture.of("eventplan_svc", "eventplan")
    wrong = []
    for (event, fleet), hosts in sorted(ledger.hosts.items()):
        plan = plans.get(f"{event}#{fleet}")
        if plan is None or (event, fleet) in ledger.closed:
            continue
        shown = _message(plan.head.state, "PlaceHardwareOrder")
        due = "No hosts needed" if not hosts else f"{hosts} host{'' if hosts == 1 else 's'} ordered via HOTW"
        if shown != due:
            wrong.append(f"the plan of {event} and {fleet} says {shown!r}, not {due!r}")
    return wrong


def _message(plan: Row, milestone: str) -> str | None:
    for item in plan["EventMilestone"]:
        for one in (item, *item.get("SubMilestones", ())):
            if one["EventMilestoneId"] == milestone:
                found: str | None = one.get("MilestoneMessage")
                return found
    return None

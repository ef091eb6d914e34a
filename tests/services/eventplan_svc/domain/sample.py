"""Builders of what the tests of event plans speak of: Prime Day 2024, FORTRESSService and the facts about its fleet."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.eventplan_svc.domain.facts import Fact, FactSheet, hardware_fact, projection_fact
from services.eventplan_svc.domain.milestones import Plan, by_id
from services.eventplan_svc.domain.plan import initial_plan, plan_template, settle
from services.eventplan_svc.domain.surroundings import Event, Fleet, Service, Surroundings

FLEET_ID = "FORTRESSService-NA-X0"
OWNER = "fortress-owner@amazon.com"
EVENT = Event(
    "PD2024", "2024-07-16", "2024-07-17", ("us-east-1", "eu-west-1"), active=True, deleted=False, changed_at=""
)
FLEET = Fleet(FLEET_ID, "FORTRESSService", "us-east-1", deleted=False)
SERVICE = Service("FORTRESSService", OWNER, "jsmith", registered=True, deleted=False)
WORLD = Surroundings(EVENT, FLEET, SERVICE)
MAY_1 = datetime(2024, 5, 1, tzinfo=UTC)


def at(day: str, time: str = "09:00:00") -> datetime:
    """An instant of 2024, the day as MM-DD."""
    return datetime.fromisoformat(f"2024-{day}T{time}+00:00")


def new_plan(facts: FactSheet | None = None, *, world: Surroundings = WORLD, now: datetime = MAY_1) -> Plan:
    """A new plan, as it comes back from a store."""
    return stored(initial_plan(plan_template(world.event, now), world, facts or FactSheet(), now))


def stored(plan: Plan) -> Plan:
    """The plan after a journey through a document store."""
    result: Plan = json.loads(json.dumps(plan))
    return result


def settled(plan: Plan, facts: FactSheet, *, world: Surroundings = WORLD, now: datetime = MAY_1) -> Plan:
    """The plan after `settle`, itself where nothing is to be written."""
    revision = settle(plan, world, facts, now)
    return plan if revision is None else stored(revision.plan)


def sheet(*facts: Fact | None) -> FactSheet:
    """The facts noted in the order given."""
    noted = FactSheet()
    for fact in facts:
        assert fact is not None
        noted = noted.noting(fact)
    return noted


def world(**changes: Any) -> Surroundings:
    """The sample's surroundings with members of the event, fleet or service changed: `event={"active": False}`."""
    return replace(WORLD, **{side: replace(getattr(WORLD, side), **members) for side, members in changes.items()})


def projection(
    version: int = 1, *, tpm: int = 50_000, owner: bool = True, upstream: bool | None = True, when: str = "05-20",
    deleted: bool = False,
) -> Fact:  # fmt: skip
    """A projection's fact; `upstream` None: it has none."""
    upstreams = [] if upstream is None else [{"UpstreamServiceId": "OrderService", "IsVerified": upstream}]
    fact = projection_fact(
        {
            "ProjectionId": f"{FLEET_ID}#PD2024#Peak",
            "FleetId": FLEET_ID,
            "EventId": "PD2024",
            "ProjectionType": "Peak",
            "VersionId": version,
            "ManualOverride": tpm,
            "IsVerifiedByOwner": owner,
            "UpstreamProjections": upstreams,
            "AuditMetadata": {"Timestamp": f"2024-{when}T09:00:00Z"},
            "Deleted": deleted,
        }
    )
    assert fact is not None
    return fact


def order(status: str = "Approved", hosts: int = 20, *, number: int = 1, **members: Any) -> dict[str, Any]:
    """One order of execution 789, due well before the peak."""
    return {
        "FulfillmentId": f"F5-42-{number}",
        "ExecutionId": 789,
        "AutoScalingGroupName": f"FORTRESSService/NA/X0/Prod/1{number}",
        "AvailabilityZone": "us-east-1a",
        "FulfillmentType": "Standard",
        "FulfillmentStatus": status,
        "EverApproved": status in ("Approved", "Fulfilled"),
        "FulfillmentValue": hosts,
        "FulfilledHosts": hosts if status == "Fulfilled" else 0,
        "FulfillmentDate": "2024-06-29",
        "Reason": None,
        "Superseded": False,
        **members,
    }


def execution(status: str = "Success", needed: int = 50, **members: Any) -> dict[str, Any]:
    """The latest execution that counts, 789."""
    return {
        "ExecutionId": 789,
        "RunId": 5,
        "OrderType": "Standard",
        "Status": status,
        "Reasoning": f"{needed} hosts are missing",
        "CapacityOverrideSum": needed,
        "OrderedHosts": needed,
        "Shortfall": 0,
        "CapReason": None,
        "CreatedAt": "2024-06-15T09:00:00.000Z",
        **members,
    }


def body(*orders: dict[str, Any], run: dict[str, Any] | None = None, gap: int = 0) -> dict[str, Any]:
    """A hardware fact's body."""
    return {"Execution": run or execution(), "Orders": list(orders), "Gap": gap}


def hardware(version: int, *orders: dict[str, Any], when: str = "06-15", **rest: Any) -> Fact:
    """A hardware fact."""
    fact = hardware_fact(
        {
            "EventId": "PD2024",
            "FleetId": FLEET_ID,
            "ServiceId": "FORTRESSService",
            "Purpose": "Upscaling",
            "OrdersVersionId": version,
            "OccurredAt": f"2024-{when}T09:00:00.000Z",
            **body(*orders, **rest),
        }
    )
    assert fact is not None
    return fact


def status(plan: Plan, milestone_id: str) -> str:
    """A milestone's status."""
    said: str = by_id(plan)[milestone_id]["MilestoneCompletionStatus"]
    return said


def said(plan: Plan, milestone_id: str) -> tuple[str, str | None]:
    """A milestone's status and message."""
    milestone = by_id(plan)[milestone_id]
    return milestone["MilestoneCompletionStatus"], milestone.get("MilestoneMessage")


def timeless(plan: Plan) -> Plan:
    """The plan without the instants of its writes."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in ("LastUpdatedTimestamp", "HumanAt", "At")}
        return [without(item) for item in value] if isinstance(value, list) else value

    result: Plan = without(plan)
    return result

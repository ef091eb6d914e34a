"""Builders of what the tests of event plans need: Prime Day 2024, FORTRESSService and the facts about its fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from services.eventplan_svc.app.plan_codec import decode_plan, encode_plan
from services.eventplan_svc.domain import changes
from services.eventplan_svc.domain.facts import (
    NO_FACTS,
    AppliedLimits,
    Downstream,
    Facts,
    Hardware,
    Limits,
    Projection,
    TPMMail,
)
from services.eventplan_svc.domain.inputs import Event, Fleet, PlanInputs, Service
from services.eventplan_svc.domain.lifecycle import Revision, new_plan, plan_template, refreshed
from services.eventplan_svc.domain.plan import Plan
from shared.schemas.eventplan_svc import MilestoneId, ReplaceMilestones, SetMilestone, SetMilestoneStatus
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.throttling import ThrottlingApplied
from shared.schemas.hotw_svc import HardwareFact

FLEET_ID = "FORTRESSService-NA-X0"
KEYS = {"EventId": "PD2024", "FleetId": FLEET_ID}
OWNER = "fortress-owner@amazon.com"
EVENT = Event("PD2024", 1, "2024-07-16", "2024-07-17", ("us-east-1", "eu-west-1"), active=True, deleted=False)
FLEET = Fleet(FLEET_ID, 1, "FORTRESSService", "us-east-1", deleted=False)
SERVICE = Service("FORTRESSService", 1, OWNER, "jsmith", registered=True, deleted=False)
INPUTS = PlanInputs(EVENT, FLEET, SERVICE)
GATHER = "GatherProjectionFromUpstream"
COMMUNICATE = "CommunicateTPMToDownstream"
THROTTLING = "UpdateThrottlingInSDC"
FULFILLMENT = "HardwareFulfillment"
MAY_1 = datetime(2024, 5, 1, tzinfo=UTC)


def at(day: str, time: str = "09:00:00") -> datetime:
    """An instant of 2024, the day as MM-DD."""
    return datetime.fromisoformat(f"2024-{day}T{time}+00:00")


def inputs(**changed: Any) -> PlanInputs:
    """The sample's inputs with members of the event, fleet or service changed: `event={"active": False}`."""
    return replace(INPUTS, **{side: replace(getattr(INPUTS, side), **members) for side, members in changed.items()})


def facts(*newest: Projection | Hardware | Limits | AppliedLimits | Downstream | None) -> Facts:
    """The newest of these facts, whatever order they are in, and all the downstream services."""
    kept: Facts = NO_FACTS
    for fact in newest:
        if isinstance(fact, Limits):
            kept = replace(kept, limits=fact)
        elif isinstance(fact, AppliedLimits):
            kept = replace(kept, applied=fact)
        elif isinstance(fact, Downstream):
            kept = replace(kept, downstream=(*kept.downstream, fact))
        if isinstance(fact, Projection) and (kept.projection is None or kept.projection.version < fact.version):
            kept = replace(kept, projection=fact)
        elif isinstance(fact, Hardware) and (kept.hardware is None or kept.hardware.version < fact.version):
            kept = replace(kept, hardware=fact)
    return kept


def a_plan(known: Facts = NO_FACTS, *, of: PlanInputs = INPUTS, now: datetime = MAY_1) -> Plan:
    """A new plan, as it comes back from a store."""
    return stored(new_plan(plan_template(of.event, now), replace(of, facts=known), now))


def stored(plan: Plan) -> Plan:
    """The plan after it was stored and read."""
    return decode_plan(orjson.loads(orjson.dumps(encode_plan(plan))))


def refresh(plan: Plan, known: Facts = NO_FACTS, *, of: PlanInputs = INPUTS, now: datetime = MAY_1) -> Plan:
    """The plan after it was refreshed; itself where nothing is to be written."""
    revision = refreshed(plan, replace(of, facts=known), now)
    return plan if revision is None else stored(revision.plan)


def put_status(
    plan: Plan, milestone_id: str, status: str, *, known: Facts = NO_FACTS, now: datetime = MAY_1, **members: Any
) -> Plan:
    """The plan after a person's `PUT …/status`."""
    body = {**KEYS, "EventMilestoneId": milestone_id, "MilestoneCompletionStatus": status, **members}
    return changes.set_milestone_status(plan, SetMilestoneStatus.model_validate(body), known, now)


def by_hand(plan: Plan, milestone_id: str, wanted: str, day: str, known: Facts = NO_FACTS) -> Plan:
    """The stored plan after a person's `PUT …/status` on a day of 2024."""
    return stored(put_status(plan, milestone_id, wanted, known=known, now=at(day)))


def revision(plan: Plan, known: Facts, day: str = "06-15") -> Revision | None:
    """What a refresh on a day of 2024 would write."""
    return refreshed(plan, replace(INPUTS, facts=known), at(day))


def put_details(plan: Plan, milestone_id: str, *, now: datetime = MAY_1, **members: Any) -> Plan:
    """The plan after a person's `PUT …/milestone`."""
    body = {**KEYS, "EventMilestoneId": milestone_id, **members}
    return changes.set_milestone(plan, SetMilestone.model_validate(body), NO_FACTS, now)


def put_list(plan: Plan, body: dict[str, Any], *, now: datetime = MAY_1) -> Plan:
    """The plan after a person's `PUT …/milestones`."""
    return changes.replace_milestones(plan, ReplaceMilestones.model_validate({**KEYS, **body}), NO_FACTS, now)


def projection(
    version: int = 1,
    *,
    tpm: int = 50_000,
    owner: bool = True,
    upstream: bool | None = True,
    when: str = "05-20",
    deleted: bool = False,
    **members: Any,
) -> Projection:
    """A projection's fact; `upstream` None: it has none."""
    upstreams = [] if upstream is None else [{"UpstreamServiceId": "OrderService", "IsVerified": upstream}]
    snapshot = {
        "ProjectionId": f"{FLEET_ID}#PD2024#Peak",
        **KEYS,
        "VersionId": version,
        "ManualOverride": tpm,
        "IsVerifiedByOwner": owner,
        "UpstreamProjections": upstreams,
        "AuditMetadata": {"Timestamp": f"2024-{when}T09:00:00Z"},
        "Deleted": deleted,
        **members,
    }
    return Projection.of(ProjectionSnapshot.model_validate(snapshot))


def downstream(name: str, mail: str | None = None, *, since: str = "05-20", when: str = "06-01") -> Downstream:
    """A downstream service; its mail with the present PeakTPM is Sent, Failed or not there yet."""
    what = None if mail is None else TPMMail(name, mail == "Sent", f"2024-{when}T09:00:00.000Z")
    return Downstream(name, f"2024-{since}T09:00:00.000Z", what)


def limits(version: int = 1, *, when: str = "05-25", deleted: bool = False) -> Limits:
    """A version of the throttling."""
    return Limits(version, f"2024-{when}T09:00:00.000Z", deleted)


def applied(version: int = 1, *, tpm: int | None = 50_000, number: int = 1, when: str = "05-26") -> AppliedLimits:
    """The report that a version of the throttling is applied."""
    members = {"AppliedVersionId": version, "PeakTPM": tpm, "ReportNumber": number, "ReportedBy": "ann"}
    body = {"FleetId": FLEET_ID, "EventId": "PD2024", "ReportedAt": f"2024-{when}T09:00:00Z", **members}
    return AppliedLimits.of(ThrottlingApplied.model_validate(body))


def order(status: str = "Approved", hosts: int = 20, *, number: int = 1, **members: Any) -> dict[str, Any]:
    """One order of execution 789, due well before the peak."""
    return {
        "FulfillmentId": f"F5-42-{number}",
        "ExecutionId": 789,
        "RunId": 5,
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


def hardware(
    version: int, *orders: dict[str, Any], when: str = "06-15", run: dict[str, Any] | None = None, gap: int = 0
) -> Hardware:
    """A hardware fact."""
    fact = {
        **KEYS,
        "ServiceId": "FORTRESSService",
        "Purpose": "Upscaling",
        "OrdersVersionId": version,
        "OccurredAt": f"2024-{when}T09:00:00.000Z",
        "Execution": run or execution(),
        "Orders": list(orders),
        "Gap": gap,
    }
    return Hardware.of(HardwareFact.model_validate(fact))


def status(plan: Plan, milestone_id: str) -> str:
    """A milestone's status."""
    return plan.milestone(MilestoneId(milestone_id)).status


def state(plan: Plan, milestone_id: str) -> tuple[str | None, str | None]:
    """A milestone's status and message."""
    milestone = plan.milestone(MilestoneId(milestone_id))
    return milestone.status, milestone.message


def timeless(plan: Plan) -> dict[str, Any]:
    """The plan as it is stored, without the instants of its writes."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in ("LastUpdatedTimestamp", "PersonAt", "At")}
        return [without(item) for item in value] if isinstance(value, list) else value

    result: dict[str, Any] = without(encode_plan(plan))
    return result

"""What a service says to the others: topic and snapshot, every part replaceable, and the message of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from shared.envelope import Message
from shared.trace import Trace

TopicBody = tuple[str, dict[str, Any]]


def audit(at: str) -> dict[str, Any]:
    return {"Timestamp": at, "User": "somebody"}


def service(
    service_id: str = "FORTRESSService", version: int = 1, *, deleted: bool = False, **members: Any
) -> TopicBody:
    """The topic and snapshot of a Registered service."""
    body = {
        "ServiceId": service_id,
        "ServiceType": "Registered",
        "Owner": f"{service_id}-owner",
        "LeaderAlias": "jsmith",
        **members,
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit("2024-04-01T09:00:00.000Z"),
    }
    return _snapshot("service", version, body, deleted=deleted)


def fleet(
    fleet_id: str = "FORTRESSService-NA-X0",
    version: int = 1,
    *,
    of: str = "FORTRESSService",
    region: str = "us-east-1",
    deleted: bool = False,
    line: str | None = None,
    capacity: int | None = None,
    at: str = "2024-04-01T09:00:00.000Z",
) -> TopicBody:
    """The topic and snapshot of a fleet; with ``line`` of its line for that event, with ``capacity`` of one ASG."""
    body: dict[str, Any] = {
        "FleetId": fleet_id,
        "ServiceId": of,
        "FleetConfiguration": {"Region": region, "HostThroughPutTPM": 250},
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    if capacity is not None:
        asg = {"AutoScalingGroupName": "a", "AvailabilityZone": "us-east-1a", "DesiredCapacity": capacity}
        body["FleetConfiguration"]["ASGProperties"] = [asg]
    if line is not None:
        body["EventId"] = line
    return _snapshot("fleet", version, body, deleted=deleted)


def organization(
    organization_id: str,
    version: int = 1,
    *,
    below: str | None = None,
    services: Sequence[str] = (),
    deleted: bool = False,
    at: str = "2024-04-01T09:00:00.000Z",
) -> TopicBody:
    """The topic and snapshot of an organization."""
    body: dict[str, Any] = {
        "OrganizationId": organization_id,
        "Name": organization_id,
        "Services": list(services),
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    if below is not None:
        body["ParentId"] = below
    return _snapshot("organization", version, body, deleted=deleted)


def event(
    event_id: str = "PD2024",
    version: int = 1,
    *,
    start: str = "2024-07-16",
    end: str = "2024-07-17",
    regions: Sequence[str] = ("us-east-1", "eu-west-1"),
    active: bool = True,
    deleted: bool = False,
    at: str = "2024-05-01T09:00:00.000Z",
) -> TopicBody:
    """The topic and snapshot of a peak."""
    body = {
        "EventId": event_id,
        "EventName": event_id,
        "RegionList": list(regions),
        "PeakStartDate": start,
        "PeakEndDate": end,
        "IsActive": active,
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    return _snapshot("event", version, body, deleted=deleted)


def projection(
    fleet_id: str = "FORTRESSService-NA-X0",
    version: int = 1,
    *,
    event_id: str = "PD2024",
    tpm: int = 50_000,
    owner: bool = True,
    upstream: bool = True,
    names: str = "OrderService",
    kind: str = "Peak",
    at: str = "2024-05-20T09:00:00.000Z",
    deleted: bool = False,
) -> TopicBody:
    """The topic and snapshot of a projection with one upstream, which it names."""
    body = {
        "ProjectionId": f"{fleet_id}#{event_id}#{kind}",
        "FleetId": fleet_id,
        "EventId": event_id,
        "ProjectionType": kind,
        "TotalInputTPM": tpm,
        "IsVerifiedByOwner": owner,
        "UpstreamProjections": [{"UpstreamServiceId": names, "IsVerified": upstream}],
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    return _snapshot("projection", version, body, deleted=deleted)


def order(number: int, status: str = "Pending", hosts: int = 20) -> dict[str, Any]:
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
    }


def hardware(
    topic: str,
    version: int,
    *orders: dict[str, Any],
    fleet_id: str = "FORTRESSService-NA-X0",
    event_id: str = "PD2024",
    at: str = "2024-06-15T09:00:00.000Z",
    purpose: str = "Upscaling",
    **members: Any,
) -> TopicBody:
    """The topic and data of a ``hotw.*`` fact: execution 789 of run 5 ordered 50 hosts, 220 needed.

    ``members`` replace those of the execution.
    """
    return f"hotw.{topic}", {
        "EventId": event_id,
        "FleetId": fleet_id,
        "ServiceId": "FORTRESSService",
        "Purpose": purpose,
        "OrdersVersionId": version,
        "OccurredAt": at,
        "Execution": {
            "ExecutionId": 789,
            "RunId": 5,
            "OrderType": "Standard",
            "Status": "Success",
            "Reasoning": "220 are needed, 200 is MaxHostCount, 150 are present: 50 ordered",
            "Needed": 220,
            "RequiredHosts": 200,
            "CapacityOverrideSum": 50,
            "OrderedHosts": 50,
            "CapReason": "MaxHostCount",
            "CreatedAt": at,
            **members,
        },
        "Orders": list(orders),
    }


def _snapshot(resource: str, version: int, body: dict[str, Any], *, deleted: bool) -> TopicBody:
    if deleted:
        body["Deleted"] = True
    verb = "deleted" if deleted else "created" if version == 1 else "updated"
    return f"{resource}.{verb}", body


def bau_changed(
    version: int = 1, *, tpm: int | None = 33_334, fleet_id: str = "FORTRESSService-NA-X0", day: str = "06-01"
) -> TopicBody:
    """The topic and data of a change of the traffic that a fleet has outside events; ``tpm`` None: too few minutes."""
    body: dict[str, Any] = {
        "FleetId": fleet_id,
        "Minutes": 0 if tpm is None else 1440,
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(f"2024-{day}T09:00:00.000Z"),
    }
    return "traffic.bau.changed", body if tpm is None else {**body, "BAUTPM": tpm}


_KEYS = {
    "traffic": ("FleetId",),
    "service": ("ServiceId",),
    "organization": ("OrganizationId",),
    "approvalrule": ("RuleId",),
    "fleet": ("FleetId", "EventId"),
    "event": ("EventId",),
    "projection": ("FleetId", "EventId", "ProjectionType"),
    "throttling": ("FleetId", "EventId"),
    "notification": ("NotificationId",),
    "hotw": ("EventId", "FleetId", "Purpose"),
    "eventplan": ("EventId", "FleetId"),
    "eventplan.commands": ("FleetId",),
}


def message(
    published: TopicBody,
    at: datetime,
    *,
    ce_id: str | None = None,
    ce_type: str | None = None,
    if_match: str | None = None,
) -> Message:
    """One message of another service, or a command."""
    topic, body = published
    members = _KEYS.get(topic) or _KEYS[topic.partition(".")[0]]
    key = "#".join(str(body[name]) for name in members if name in body)
    return Message(
        topic=topic,
        type=ce_type or topic,
        key=key,
        data=orjson.dumps(body),
        source="/tests",
        time=at,
        trace=Trace.begin("a-first-call"),
        id=ce_id or f"{key}:{_numbered(body)}:{topic}",
        if_match=if_match,
    )


def _numbered(body: dict[str, Any]) -> Any:
    return next((body[name] for name in ("VersionId", "OrdersVersionId", "AsOf") if name in body), None)


def throttling(
    version: int = 1,
    *,
    fleet_id: str = "FORTRESSService-NA-X0",
    deleted: bool = False,
    at: str = "2024-06-01T09:00:00.000Z",
) -> TopicBody:
    """The topic and snapshot of a fleet's limits for PD2024."""
    body = {
        "FleetId": fleet_id,
        "EventId": "PD2024",
        "Limits": [{"Client": "OrderService", "TPM": 20000}],
        "VersionId": version,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    return _snapshot("throttling", version, body, deleted=deleted)


def throttling_applied(
    version: int = 1, *, tpm: int = 50_000, number: int = 1, at: str = "2024-06-02T09:00:00.000Z"
) -> TopicBody:
    """The topic and data of the report that a version of these limits is applied."""
    return "throttling.applied", {
        "FleetId": "FORTRESSService-NA-X0",
        "EventId": "PD2024",
        "AppliedVersionId": version,
        "PeakTPM": tpm,
        "ReportNumber": number,
        "ReportedAt": at,
        "ReportedBy": "gizmo",
    }


def tpm_mail(
    service_id: str,
    *tpms: int,
    upstream: str = "FORTRESSService",
    failed: bool = False,
    number: int = 1,
    at: str = "2024-06-03T09:00:00.000Z",
) -> TopicBody:
    """The topic and snapshot of a mail with an upstream's TPM to a service."""
    status = "Failed" if failed else "Sent"
    body = {
        "NotificationId": f"TPM.{upstream}.{service_id}.{number}",
        "Kind": "TPM",
        "Cause": f"eventplan.tpm.requested PD2024 {upstream} {service_id} {number}",
        "Status": status,
        "Subject": "TPM",
        "EventId": "PD2024",
        "ServiceId": service_id,
        "UpstreamServiceId": upstream,
        "PeakTPMs": list(tpms),
        "VersionId": 3,
        "SchemaVersion": 1,
        "AuditMetadata": audit(at),
    }
    return f"notification.{status.lower()}", body

"""The columns of what HOTW keeps, by the reference's names, and their wire form.

Ids are the string ids (EventId, FleetId, ServiceId); whoever writes the tables puts the index ids in their place.
Values are what the columns hold: integers, decimals, dates and instants; JSON columns are lists and dicts.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.hotw_svc.domain.arithmetic import MAX_FACTOR, MAX_INT, half_up
from services.hotw_svc.domain.orders.order import Delivery, Order, OrderStatus, OrderType
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.runs.execution import AsgOutcome, Execution
from shared.clock import iso, parse_instant

Row = dict[str, Any]


def execution_columns(execution: Execution) -> Row:
    """A line of hotw_execution, without its ExecutionId; a number too large for its column is left out (None)."""
    inputs, fleet, there = execution.inputs, execution.inputs.fleet, execution.presence
    factor, ct_factor = execution.buffer_factor, fleet.ct_factor
    return {
        "RunId": inputs.run.run_id,
        "FleetId": fleet.fleet_id,
        "ServiceId": fleet.service_id,
        "EventId": inputs.event.event_id,
        "PeakTPM": None if execution.peak is None else execution.peak.value,
        "BAUTPM": None,
        "CTPeakFactor": None if ct_factor is None or ct_factor > MAX_FACTOR else half_up(ct_factor),
        "BufferFactor": None if factor is None or factor > MAX_FACTOR else half_up(factor),
        "HostThroughPutTPM": fleet.host_throughput_tpm,
        "RequiredHosts": execution.required_hosts,
        "HostsPresentInApollo": None if there is None else _int(there.hosts),
        "CapacityOverrideSum": execution.need,
        "PendingEPICFMCHostOrder": _int(execution.pending),
        "PreferredHostType": fleet.host_type,
        "Homogeneous": fleet.homogeneous,
        "Status": execution.status.value,
        "Reasoning": execution.reasoning,
        "FleetVersionId": fleet.version_id,
        "DesiredCapacity": _int(fleet.desired_capacity + execution.ordered_hosts),
        "ChildDesiredCapacity": _int(fleet.child_desired_capacity),
        "HostDistribution": dict(execution.host_distribution),
        "User": inputs.run.user,
        "CreatedAt": execution.created_at,
        "Purpose": inputs.run.purpose,
        "OrderType": inputs.run.order_type.value,
        "Needed": execution.needed,
        "CapReason": execution.cap,
        "OrderedHosts": execution.ordered_hosts,
        "Shortfall": execution.shortfall,
        "FleetLine": fleet.line.value,
        "FailCode": execution.code,
        "InputVersions": input_versions(execution),
    }


def input_versions(execution: Execution) -> Row:
    """Each input with the version it came from; what there was none of is left out."""
    inputs, there, peak = execution.inputs, execution.presence, execution.peak
    versions: Row = {
        "Event": inputs.event.version_id,
        "Fleet": inputs.fleet.version_id,
        "FleetLine": inputs.fleet.line.value,
        "ASGProperties": inputs.fleet.asgs_version_id,
        "ASGPropertiesLine": inputs.fleet.asgs_line.value,
    }
    if inputs.service is not None:
        versions["Service"] = inputs.service.version_id
    if inputs.projection is not None:
        versions["Projection"] = inputs.projection.version_id
    if peak is not None:
        versions["PeakTPM"] = peak.source
    if there is not None:
        versions["HostsPresent"] = {
            "Source": there.source,
            "Reported": there.reported,
            "Arriving": there.arriving,
            "Leaving": there.leaving,
        }
        if there.as_of is not None:
            versions["HostsPresent"]["AsOf"] = iso(there.as_of)
    return versions


def asg_columns(outcome: AsgOutcome, *, execution: Execution) -> Row:
    """A line of asg_details; `recommended` and the run make one of asg_details_run of it."""
    asg, fleet = outcome.asg, execution.inputs.fleet
    return {
        "FleetId": fleet.fleet_id,
        "AutoScalingGroupName": asg.name,
        "AsgTag": asg.tag,
        "HostType": asg.host_type or fleet.host_type,
        "AutoScalingGroupRegion": fleet.region,
        "EAPOnboardingStatus": asg.eap_onboarding_status,
        "EAPEnableStatus": outcome.eap_enabled,
        "AsgCapacityLowerBound": asg.capacity_lower_bound,
        "AutoScalingGroupARN": asg.arn,
    }


def asg_run_columns(outcome: AsgOutcome, *, execution: Execution) -> Row:
    """A line of asg_details_run."""
    return {
        **asg_columns(outcome, execution=execution),
        "RunId": execution.inputs.run.run_id,
        "RecommendedOverrideValue": outcome.recommended,
    }


def dashboard_columns(execution: Execution) -> Row:
    """The line of hotw_dashboard after an execution."""
    inputs = execution.inputs
    return {
        "ServiceId": inputs.fleet.service_id,
        "FleetId": inputs.fleet.fleet_id,
        "EventId": inputs.event.event_id,
        "Purpose": inputs.run.purpose,
        "CapacityOverrideSum": _int(execution.dashboard_hosts),
    }


def override_columns(override: Override) -> Row:
    """A line of capacity_override_details."""
    return {
        "CapacityOverrideName": override.name,
        "StartTime": override.start,
        "Duration": override.duration,
        "OverrideValue": override.value,
        "OverrideExpiryValue": override.expiry_value,
        "OverrideTag": override.event_id,
        "StartOffset": override.start_offset,
        "EndOffset": override.end_offset,
        "PlaceOrderIfRequired": True,
        "OverrideType": override.override_type.value,
        "Justification": override.justification,
        "RunId": override.run_id,
        "FleetId": override.fleet_id,
        "AutoScalingGroupName": override.asg_name,
        "EventId": override.event_id,
        "Purpose": override.purpose,
        "EndTime": override.end,
        "PeakEnd": override.peak_end,
        "BaseCapacity": override.base_capacity,
        "OverrideStatus": override.status.value,
    }


def override_of(row: Mapping[str, Any]) -> Override:
    """The override of a line of capacity_override_details."""
    return Override(
        run_id=row["RunId"],
        fleet_id=row["FleetId"],
        event_id=row["EventId"],
        asg_name=row["AutoScalingGroupName"],
        override_type=OrderType(row["OverrideType"]),
        start=row["StartTime"],
        end=row["EndTime"],
        peak_end=row["PeakEnd"],
        start_offset=row["StartOffset"],
        end_offset=row["EndOffset"],
        base_capacity=row["BaseCapacity"],
        value=row["OverrideValue"],
        expiry_value=row["OverrideExpiryValue"],
        justification=row["Justification"],
        purpose=row["Purpose"],
        status=OverrideStatus(row["OverrideStatus"]),
    )


def order_columns(order: Order) -> Row:
    """A line of fulfillment_details; Deliveries is a JSON column."""
    return {
        "FulfillmentId": order.fulfillment_id,
        "AutoScalingGroupName": order.asg_name,
        "FulfillmentType": order.order_type.value,
        "FulfillmentStatus": order.status.value,
        "FulfillmentValue": order.value,
        "FulfillmentDate": order.fulfillment_date,
        "FulfillmentLink": None,
        "IsEmergent": order.order_type is OrderType.EMERGENT,
        "RunId": order.run_id,
        "ExecutionId": order.execution_id,
        "FleetId": order.fleet_id,
        "EventId": order.event_id,
        "Purpose": order.purpose,
        "AvailabilityZone": order.zone,
        "FulfilledHosts": order.fulfilled_hosts,
        "PlacedAt": order.placed_at,
        "StatusSince": order.status_since,
        "ApprovedAt": order.approved_at,
        "DecidedBy": order.decided_by,
        "Reason": order.reason,
        "Superseded": order.superseded,
        "Deliveries": [{"Hosts": d.hosts, "DeliveredAt": iso(d.delivered_at)} for d in order.deliveries],
    }


def order_of(row: Mapping[str, Any]) -> Order:
    """The order of a line of fulfillment_details."""
    return Order(
        fulfillment_id=row["FulfillmentId"],
        run_id=row["RunId"],
        execution_id=row["ExecutionId"],
        fleet_id=row["FleetId"],
        event_id=row["EventId"],
        asg_name=row["AutoScalingGroupName"],
        zone=row["AvailabilityZone"],
        order_type=OrderType(row["FulfillmentType"]),
        value=row["FulfillmentValue"],
        placed_at=row["PlacedAt"],
        fulfillment_date=row["FulfillmentDate"],
        purpose=row["Purpose"],
        status=OrderStatus(row["FulfillmentStatus"]),
        status_since=row["StatusSince"],
        approved_at=row["ApprovedAt"],
        decided_by=row["DecidedBy"],
        reason=row["Reason"],
        deliveries=tuple(Delivery(d["Hosts"], parse_instant(d["DeliveredAt"])) for d in row["Deliveries"]),
        superseded=bool(row["Superseded"]),
    )


def wire(row: Mapping[str, Any]) -> Row:
    """The JSON form of a line: decimals as numbers, instants with `Z`, days as days."""
    return {name: _wire_value(value) for name, value in row.items()}


def _wire_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


def _int(value: int | None) -> int | None:
    return None if value is None or value > MAX_INT else value

"""The tables of HOTW: the reference's own, and those for runs, locks and read models."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.sql.schema import SchemaItem

from services.hotw_svc.adapters.columns import key, optional, required, serial
from shared.relational import (
    TABLE_OPTIONS,
    UtcTimestamp,
    ascii_id,
    big_integer,
    kit_tables,
    lease_columns,
    long_text,
    name_text,
)

METADATA: Final = MetaData()
KIT: Final = kit_tables(METADATA)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, METADATA, *items, **TABLE_OPTIONS)


def _numbered(name: str, number: str, string_id: str) -> Table:
    """String ids and their numbers: given once, never changed."""
    return _table(name, serial(number), Column(string_id, ascii_id(), nullable=False, unique=True))


# -- string ids and their numbers ------------------------------------------------------------------------------------

fleet_index: Final = _numbered("fleet_index", "FleetIndexId", "FleetId")
service_index: Final = _numbered("service_index", "ServiceIndexId", "ServiceId")
event_index: Final = _numbered("event_index", "EventIndexId", "EventId")

# -- runs and executions -----------------------------------------------------------------------------------------------

hotw_run: Final = _table(
    "hotw_run",
    serial("RunId"),
    *required(Integer, "EventIndexId"),
    *required(ascii_id(16), "RunStatus", "OrderType"),
    *required(UtcTimestamp(), "CreatedAt"),
    *required(ascii_id(16), "Purpose"),
    *required(name_text(), "User"),
    *required(Integer, "Fleets"),
    *required(Boolean, "DryRun"),
    *required(ascii_id(16), "Engine"),
    *optional(UtcTimestamp(), "EndedAt"),
    *required(long_text(), "Trace"),
    Index("hotw_run_status", "RunStatus", "RunId"),
    Index("hotw_run_event", "EventIndexId", "RunId"),
)
hotw_execution: Final = _table(
    "hotw_execution",
    serial("ExecutionId"),
    *required(Integer, "FleetIndexId", "ServiceIndexId", "EventIndexId", "RunId"),
    *optional(Integer, "PeakTPM", "BAUTPM"),
    *optional(Numeric(5, 2), "CTPeakFactor", "BufferFactor"),
    *optional(
        Integer,
        "HostThroughPutTPM",
        "RequiredHosts",
        "HostsPresentInApollo",
        "CapacityOverrideSum",
        "PendingEPICFMCHostOrder",
    ),
    *optional(name_text(), "PreferredHostType"),
    *optional(Boolean, "Homogeneous"),
    *required(ascii_id(16), "Status"),
    *required(Text, "Reasoning"),
    *optional(Integer, "FleetVersionId", "DesiredCapacity", "ChildDesiredCapacity"),
    *optional(JSON, "HostDistribution"),
    *required(name_text(), "User"),
    *required(UtcTimestamp(), "CreatedAt"),
    *required(ascii_id(16), "Purpose", "OrderType"),
    *optional(Integer, "Needed"),
    *optional(Text, "CapReason"),
    *required(Integer, "OrderedHosts", "Shortfall"),
    *optional(ascii_id(16), "FleetLine"),
    *optional(ascii_id(32), "FailCode"),
    *optional(JSON, "InputVersions"),
    *required(Boolean, "DryRun"),
    *required(ascii_id(16), "Engine"),
    UniqueConstraint("RunId", "FleetIndexId", name="hotw_execution_once"),
    Index("hotw_execution_fleet", "FleetIndexId", "EventIndexId", "ExecutionId"),
)

# -- ASGs --------------------------------------------------------------------------------------------------------------


def _asg_columns() -> list[SchemaItem]:
    return [
        *key(Integer, "FleetIndexId"),
        *key(name_text(), "AutoScalingGroupName"),
        *optional(name_text(), "AsgTag", "HostType", "AutoScalingGroupRegion"),
        *required(Boolean, "EAPOnboardingStatus", "EAPEnableStatus"),
        *optional(Integer, "AsgCapacityLowerBound"),
        *optional(name_text(), "AutoScalingGroupARN"),
    ]


asg_details: Final = _table("asg_details", *_asg_columns())
asg_details_run: Final = _table(
    "asg_details_run", *key(Integer, "RunId"), *_asg_columns(), *required(Integer, "RecommendedOverrideValue")
)
preferred_asg: Final = _table(
    "preferred_asg",
    serial("RecordId"),
    *required(Integer, "FleetIndexId", "EventIndexId"),
    *required(JSON, "ASGs"),
    *required(name_text(), "UpdatedBy"),
    *required(UtcTimestamp(), "UpdatedAt"),
    UniqueConstraint("FleetIndexId", "EventIndexId", name="preferred_asg_once"),
)

# -- overrides, orders, dashboard --------------------------------------------------------------------------------------

capacity_override_details: Final = _table(
    "capacity_override_details",
    *key(Integer, "RunId", "FleetIndexId"),
    *key(name_text(), "AutoScalingGroupName"),
    *required(name_text(400), "CapacityOverrideName"),
    *required(UtcTimestamp(), "StartTime"),
    *required(ascii_id(32), "Duration"),
    *required(Integer, "OverrideValue", "OverrideExpiryValue"),
    *optional(name_text(), "OverrideTag"),
    *required(Integer, "StartOffset", "EndOffset"),
    *required(Boolean, "PlaceOrderIfRequired"),
    *required(ascii_id(16), "OverrideType"),
    *required(Text, "Justification"),
    *required(Integer, "EventIndexId"),
    *required(ascii_id(16), "Purpose"),
    *required(UtcTimestamp(), "EndTime", "PeakEnd"),
    *required(Integer, "BaseCapacity"),
    *required(ascii_id(16), "OverrideStatus"),
    Index("override_fleet", "FleetIndexId", "EventIndexId"),
)
fulfillment_details: Final = _table(
    "fulfillment_details",
    *key(ascii_id(64), "FulfillmentId"),
    *required(name_text(), "AutoScalingGroupName"),
    *required(ascii_id(16), "FulfillmentType", "FulfillmentStatus"),
    *required(Integer, "FulfillmentValue"),
    *required(Date, "FulfillmentDate"),
    *optional(Text, "FulfillmentLink"),
    *required(Boolean, "IsEmergent"),
    *required(Integer, "RunId", "FleetIndexId", "ExecutionId", "EventIndexId"),
    *required(ascii_id(16), "Purpose"),
    *required(name_text(), "AvailabilityZone"),
    *required(Integer, "FulfilledHosts"),
    *required(UtcTimestamp(), "PlacedAt"),
    *optional(UtcTimestamp(), "StatusSince", "ApprovedAt"),
    *optional(name_text(), "DecidedBy"),
    *optional(long_text(), "Reason"),
    *required(Boolean, "Superseded"),
    *required(JSON, "Deliveries"),
    Index("fulfillment_fleet", "FleetIndexId", "EventIndexId"),
    Index("fulfillment_event", "EventIndexId", "FulfillmentStatus", "FulfillmentId"),
    Index("fulfillment_run", "RunId", "FleetIndexId"),
)
hotw_dashboard: Final = _table(
    "hotw_dashboard",
    *key(Integer, "EventIndexId", "FleetIndexId"),
    *key(ascii_id(16), "Purpose"),
    *required(Integer, "ServiceIndexId", "CapacityOverrideSum", "OrdersVersionId"),
    *optional(Integer, "LatestExecutionId"),
    *required(
        Integer,
        "LiveOrders",
        "GrantedOrders",
        "OpenOrders",
        "LostOrders",
        "ApprovedHosts",
        "FulfilledHosts",
        "Gap",
        "EventVersionId",
    ),
    *required(Boolean, "EventIsActive"),
    *optional(UtcTimestamp(), "DueAt"),
    Index("dashboard_due", "DueAt"),
    Index("dashboard_service", "EventIndexId", "Purpose", "ServiceIndexId"),
    Index("dashboard_event_version", "EventIndexId", "EventVersionId"),
)

# -- the work of a run, and who is at work on a fleet ------------------------------------------------------------------

run_fleet: Final = _table(
    "run_fleet",
    *key(Integer, "RunId", "FleetIndexId"),
    *required(ascii_id(), "FleetId"),
    *optional(UtcTimestamp(), "ClaimUntil", "BlockedSince"),
)
fleet_lock: Final = _table(
    "fleet_lock",
    *key(ascii_id(), "FleetId"),
    *optional(UtcTimestamp(), "LockTimestamp"),
    *optional(name_text(64), "LockedBy"),
    *lease_columns(),
    *required(big_integer(), "Revision"),
)

"""The tables of HOTW: the reference's own, and those for runs and locks. Another revision goes with each change."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from shared.relational import TABLE_OPTIONS, UtcTimestamp, big_integer, lease_columns, long_text, short_text

METADATA: Final = MetaData()
_Type = TypeEngine[Any] | type[TypeEngine[Any]]


def _serial(name: str) -> Column[int]:
    """The primary key of a table whose rows the database numbers."""
    return Column(name, Integer, primary_key=True, autoincrement=True)


def _key(of: _Type, *names: str) -> list[Column[Any]]:
    """Columns of the primary key."""
    return [Column(name, of, primary_key=True, autoincrement=False) for name in names]


def _required(of: _Type, *names: str) -> list[Column[Any]]:
    return [Column(name, of, nullable=False) for name in names]


def _optional(of: _Type, *names: str) -> list[Column[Any]]:
    return [Column(name, of, nullable=True) for name in names]


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, METADATA, *items, **TABLE_OPTIONS)


def _numbered(name: str, number: str, string_id: str) -> Table:
    """String ids and their numbers: given once, never changed."""
    return _table(name, _serial(number), Column(string_id, short_text(), nullable=False, unique=True))


# -- string ids and their numbers ------------------------------------------------------------------------------------

fleet_index: Final = _numbered("fleet_index", "FleetIndexId", "FleetId")
service_index: Final = _numbered("service_index", "ServiceIndexId", "ServiceId")
event_index: Final = _numbered("event_index", "EventIndexId", "EventId")

# -- runs and executions -----------------------------------------------------------------------------------------------

hotw_run: Final = _table(
    "hotw_run",
    _serial("RunId"),
    *_required(Integer, "EventIndexId"),
    *_required(short_text(16), "RunStatus"),
    *_optional(short_text(16), "OrderType"),
    *_optional(Text, "OrderTypeReason"),
    *_required(UtcTimestamp(), "CreatedAt"),
    *_required(short_text(16), "Purpose"),
    *_required(short_text(), "User"),
    *_required(Integer, "Fleets"),
    *_required(Boolean, "DryRun"),
    *_required(short_text(16), "Engine"),
    *_optional(UtcTimestamp(), "EndedAt"),
    *_optional(JSON, "Tally"),
    *_required(long_text(), "Trace"),
    Index("hotw_run_status", "RunStatus", "RunId"),
    Index("hotw_run_event", "EventIndexId", "RunId"),
    Index("hotw_run_event_status", "EventIndexId", "RunStatus", "RunId"),
)
hotw_execution: Final = _table(
    "hotw_execution",
    _serial("ExecutionId"),
    *_required(Integer, "FleetIndexId", "ServiceIndexId", "EventIndexId", "RunId"),
    *_optional(Integer, "PeakTPM", "BAUTPM"),
    *_optional(Numeric(5, 2), "CTPeakFactor", "BufferFactor"),
    *_optional(
        Integer,
        "HostThroughPutTPM",
        "RequiredHosts",
        "HostsPresentInApollo",
        "CapacityOverrideSum",
        "PendingEPICFMCHostOrder",
    ),
    *_optional(short_text(), "PreferredHostType"),
    *_optional(Boolean, "Homogeneous"),
    *_required(short_text(16), "Status"),
    *_required(long_text(), "Reasoning"),
    *_optional(Integer, "FleetVersionId", "DesiredCapacity", "ChildDesiredCapacity"),
    *_optional(JSON, "HostDistribution"),
    *_required(short_text(), "User"),
    *_required(UtcTimestamp(), "CreatedAt"),
    *_required(short_text(16), "Purpose", "OrderType"),
    *_optional(Integer, "Needed"),
    *_optional(long_text(), "CapReason"),
    *_required(Integer, "OrderedHosts", "Shortfall"),
    *_optional(short_text(16), "FleetLine"),
    *_optional(short_text(32), "FailCode"),
    *_optional(JSON, "InputVersions"),
    *_optional(short_text(32), "InputsHash"),
    *_required(Boolean, "DryRun"),
    *_required(short_text(16), "Engine"),
    *_optional(short_text(64), "RecordedDigest"),
    UniqueConstraint("RunId", "FleetIndexId", name="hotw_execution_once"),
    Index("hotw_execution_fleet", "FleetIndexId", "EventIndexId", "ExecutionId"),
)

kept_input: Final = _table("kept_input", *_key(short_text(32), "Hash"), *_required(long_text(), "Content"))
"""The inputs of executions by value (7.3.3); a row never changes."""

# -- ASGs --------------------------------------------------------------------------------------------------------------


def _asg_columns() -> list[SchemaItem]:
    return [
        *_key(Integer, "FleetIndexId"),
        *_key(short_text(), "AutoScalingGroupName"),
        *_optional(short_text(), "AsgTag", "HostType", "AutoScalingGroupRegion"),
        *_required(Boolean, "EAPOnboardingStatus", "EAPEnableStatus"),
        *_optional(Integer, "AsgCapacityLowerBound"),
        *_optional(short_text(), "AutoScalingGroupARN"),
    ]


asg_details: Final = _table("asg_details", *_asg_columns())
asg_details_run: Final = _table(
    "asg_details_run", *_key(Integer, "RunId"), *_asg_columns(), *_required(Integer, "RecommendedOverrideValue")
)
preferred_asg: Final = _table(
    "preferred_asg",
    _serial("RecordId"),
    *_required(Integer, "FleetIndexId", "EventIndexId"),
    *_required(JSON, "ASGs"),
    *_required(short_text(), "UpdatedBy"),
    *_required(UtcTimestamp(), "UpdatedAt"),
    UniqueConstraint("FleetIndexId", "EventIndexId", name="preferred_asg_once"),
)

# -- overrides, orders, dashboard --------------------------------------------------------------------------------------

capacity_override_details: Final = _table(
    "capacity_override_details",
    *_key(Integer, "RunId", "FleetIndexId"),
    *_key(short_text(), "AutoScalingGroupName"),
    *_required(short_text(400), "CapacityOverrideName"),
    *_required(UtcTimestamp(), "StartTime"),
    *_required(short_text(32), "Duration"),
    *_required(Integer, "OverrideValue", "OverrideExpiryValue"),
    *_optional(short_text(), "OverrideTag"),
    *_required(Integer, "StartOffset", "EndOffset"),
    *_required(Boolean, "PlaceOrderIfRequired"),
    *_required(short_text(16), "OverrideType"),
    *_required(long_text(), "Justification"),
    *_required(Integer, "EventIndexId"),
    *_required(short_text(16), "Purpose"),
    *_required(UtcTimestamp(), "EndTime", "PeakEnd"),
    *_required(Integer, "BaseCapacity"),
    *_required(short_text(16), "OverrideStatus", "Engine"),
    Index("override_fleet", "FleetIndexId", "EventIndexId", "RunId", "AutoScalingGroupName"),
    Index("override_status", "OverrideStatus", "EventIndexId", "RunId", "FleetIndexId", "AutoScalingGroupName"),
)
fulfillment_details: Final = _table(
    "fulfillment_details",
    *_key(short_text(64), "FulfillmentId"),
    *_required(short_text(), "AutoScalingGroupName"),
    *_required(short_text(16), "FulfillmentType", "FulfillmentStatus"),
    *_required(Integer, "FulfillmentValue"),
    *_required(Date, "FulfillmentDate"),
    *_optional(long_text(), "FulfillmentLink"),
    *_required(Boolean, "IsEmergent"),
    *_required(Integer, "RunId", "FleetIndexId", "ExecutionId", "EventIndexId"),
    *_required(short_text(16), "Purpose"),
    *_optional(short_text(), "AvailabilityZone"),
    *_required(Integer, "FulfilledHosts"),
    *_required(UtcTimestamp(), "PlacedAt"),
    *_optional(UtcTimestamp(), "StatusSince", "ApprovedAt"),
    *_optional(short_text(), "DecidedBy"),
    *_optional(long_text(), "Reason"),
    *_optional(short_text(128), "ApprovalRule"),
    *_required(Integer, "OrdersVersionId"),
    *_required(Boolean, "Superseded"),
    *_required(JSON, "Deliveries"),
    Index("fulfillment_fleet", "FleetIndexId", "EventIndexId"),
    Index("fulfillment_event", "EventIndexId", "FulfillmentStatus", "FulfillmentId"),
    Index("fulfillment_run", "RunId", "FleetIndexId"),
)
order_review: Final = _table(
    "order_review",
    _serial("ReviewId"),
    *_required(short_text(16), "Decision"),
    *_optional(long_text(), "Reason"),
    *_required(short_text(), "User"),
    *_required(UtcTimestamp(), "CreatedAt"),
    *_optional(UtcTimestamp(), "EndedAt"),
    *_required(Integer, "Orders", "Decided", "Skipped"),
    *_required(long_text(), "Trace"),
    Index("order_review_open", "EndedAt", "ReviewId"),
)
order_review_book: Final = _table(
    "order_review_book",
    *_key(Integer, "ReviewId", "EventIndexId"),
    *_key(short_text(16), "Purpose"),
    *_key(Integer, "FleetIndexId"),
    *_required(JSON, "Orders"),
)
order_review_skipped: Final = _table(
    "order_review_skipped",
    *_key(Integer, "ReviewId"),
    *_key(short_text(), "FulfillmentId"),
    *_required(long_text(), "Reason"),
)
hotw_dashboard: Final = _table(
    "hotw_dashboard",
    *_key(Integer, "EventIndexId", "FleetIndexId"),
    *_key(short_text(16), "Purpose"),
    *_required(Integer, "ServiceIndexId", "CapacityOverrideSum", "OrdersVersionId"),
    *_optional(Integer, "LatestExecutionId"),
    *_required(
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
    *_required(Boolean, "Withdrawn"),
    *_optional(UtcTimestamp(), "DueAt", "GapSince"),
    Index("dashboard_due", "DueAt"),
    Index("dashboard_service", "EventIndexId", "Purpose", "ServiceIndexId"),
    Index("dashboard_event_version", "EventIndexId", "EventVersionId"),
    Index("dashboard_fleet", "FleetIndexId"),
    Index("dashboard_gap", "EventIndexId", "Gap"),
)
gap_change: Final = _table(
    "gap_change",
    *_key(Integer, "EventIndexId", "FleetIndexId", "OrdersVersionId"),
    *_required(UtcTimestamp(), "ChangedAt"),
    *_required(Integer, "Gap"),
)
gap_mark: Final = _table(
    "gap_mark",
    _serial("MarkId"),
    *_optional(short_text(), "FleetId", "ServiceId", "EventId"),
)

reported_sum: Final = _table(
    "reported_sum",
    *_key(Integer, "EventIndexId", "FleetIndexId"),
    *_key(short_text(16), "Purpose"),
    *_required(Integer, "ReportedSum"),
    *_required(short_text(), "ReportedBy"),
    *_required(UtcTimestamp(), "ReportedAt"),
)

provider_group: Final = _table(
    "provider_group",
    *_key(Integer, "FleetIndexId"),
    *_key(short_text(), "AutoScalingGroupName"),
    *_required(big_integer(), "Revision"),
    *_optional(UtcTimestamp(), "DueAt"),
    *_required(Integer, "Attempts", "Drifts"),
    *_required(JSON, "Asked"),
    *_optional(Integer, "FoundMinSize", "FoundMaxSize"),
    *_optional(long_text(), "Failure"),
    *_optional(UtcTimestamp(), "LookAt"),
    Index("provider_group_due", "DueAt"),
    Index("provider_group_look", "LookAt"),
)

# -- the work of a run, and who is at work on a fleet ------------------------------------------------------------------

run_fleet: Final = _table(
    "run_fleet",
    *_key(Integer, "RunId", "FleetIndexId"),
    *_required(short_text(), "FleetId"),
    *_optional(UtcTimestamp(), "ClaimUntil", "BlockedSince"),
)
run_slot: Final = _table(
    "run_slot",
    *_key(Integer, "EventIndexId"),
    *_key(UtcTimestamp(), "Slot"),
    *_optional(Integer, "RunId"),
)
fleet_lock: Final = _table(
    "fleet_lock",
    *_key(short_text(), "FleetId"),
    *_optional(UtcTimestamp(), "LockTimestamp"),
    *_optional(short_text(64), "LockedBy"),
    *lease_columns(),
    *_required(big_integer(), "Revision"),
)

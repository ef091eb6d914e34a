"""All tables of HOTW: the reference's own, those for runs, locks and read models, and the kit's."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.sql.schema import SchemaItem

from services.hotw_svc.adapters.columns import key, optional, required, serial
from shared.relational import TABLE_OPTIONS, UtcTimestamp, ascii_id, big_integer, create_missing, long_text, name_text

revision: Final = "0001"
down_revision: Final = None

_METADATA: Final = MetaData()


def upgrade() -> None:
    create_missing(op.get_bind(), _METADATA)


def downgrade() -> None:
    _METADATA.drop_all(op.get_bind())


def _table(name: str, *items: SchemaItem) -> None:
    Table(name, _METADATA, *items, **TABLE_OPTIONS)


# -- string ids and their numbers: given once, never changed -----------------------------------------------------------

_table("fleet_index", serial("FleetIndexId"), Column("FleetId", ascii_id(), nullable=False, unique=True))
_table("service_index", serial("ServiceIndexId"), Column("ServiceId", ascii_id(), nullable=False, unique=True))
_table("event_index", serial("EventIndexId"), Column("EventId", ascii_id(), nullable=False, unique=True))

# -- runs and executions -----------------------------------------------------------------------------------------------

_table(
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
_table(
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


_table("asg_details", *_asg_columns())
_table("asg_details_run", *key(Integer, "RunId"), *_asg_columns(), *required(Integer, "RecommendedOverrideValue"))
_table(
    "preferred_asg",
    serial("RecordId"),
    *required(Integer, "FleetIndexId", "EventIndexId"),
    *required(JSON, "ASGs"),
    *required(name_text(), "UpdatedBy"),
    *required(UtcTimestamp(), "UpdatedAt"),
    UniqueConstraint("FleetIndexId", "EventIndexId", name="preferred_asg_once"),
)

# -- overrides, orders, dashboard --------------------------------------------------------------------------------------

_table(
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
_table(
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
_table(
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

_table(
    "run_fleet",
    *key(Integer, "RunId", "FleetIndexId"),
    *required(ascii_id(), "FleetId"),
    *optional(UtcTimestamp(), "ClaimUntil", "BlockedSince"),
)
_table(
    "fleet_lock",
    *key(ascii_id(), "FleetId"),
    *optional(UtcTimestamp(), "LockTimestamp"),
    *optional(name_text(64), "LockedBy"),
    *optional(ascii_id(64), "Holder"),
    *optional(UtcTimestamp(), "LeaseUntil"),
    *required(big_integer(), "Fence", "Revision"),
)

# -- the kit's tables, as they were when this revision was written -----------------------------------------------------

_table(
    "outbox",
    Column("Id", big_integer(), primary_key=True, autoincrement=True),
    *required(name_text(512), "MessageId"),
    *required(ascii_id(249), "Topic"),
    *required(name_text(), "Type"),
    *required(name_text(512), "MessageKey"),
    *required(UtcTimestamp(), "OccurredAt"),
    *required(long_text(), "Envelope", "Body"),
    Index("outbox_key", "MessageKey"),
)
_table(
    "inbox",
    *key(name_text(128), "Consumer"),
    *key(ascii_id(64), "MessageId"),
    *required(UtcTimestamp(), "SeenAt"),
    Index("inbox_seen", "SeenAt"),
)
_table(
    "idempotency_records",
    *key(ascii_id(64), "RecordId"),
    *required(long_text(), "Cause"),
    *required(ascii_id(64), "Digest"),
    *required(ascii_id(16), "State"),
    *optional(name_text(), "Reference"),
    *optional(long_text(), "Body"),
    *required(UtcTimestamp(), "ExpiresAt"),
    Index("idempotency_records_expire", "ExpiresAt"),
)
_table(
    "leases",
    *key(ascii_id(64), "Name"),
    *optional(ascii_id(64), "Holder"),
    *optional(UtcTimestamp(), "LeaseUntil"),
    *required(big_integer(), "Fence"),
    *optional(long_text(), "Record"),
)
_table("dead_letters", Column("Id", name_text(512), primary_key=True), Column("Letter", long_text(), nullable=False))
_table("meta", Column("Name", ascii_id(64), primary_key=True), Column("Instant", UtcTimestamp(), nullable=True))

"""All tables of HOTW: the reference's own, those for runs, locks and read models, and the kit's."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, MetaData, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.sql.schema import SchemaItem

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

_table(
    "fleet_index",
    Column("FleetIndexId", Integer, primary_key=True, autoincrement=True),
    Column("FleetId", ascii_id(), nullable=False, unique=True),
)
_table(
    "service_index",
    Column("ServiceIndexId", Integer, primary_key=True, autoincrement=True),
    Column("ServiceId", ascii_id(), nullable=False, unique=True),
)
_table(
    "event_index",
    Column("EventIndexId", Integer, primary_key=True, autoincrement=True),
    Column("EventId", ascii_id(), nullable=False, unique=True),
)

# -- runs and executions -----------------------------------------------------------------------------------------------

_table(
    "hotw_run",
    Column("RunId", Integer, primary_key=True, autoincrement=True),
    Column("EventIndexId", Integer, nullable=False),
    Column("RunStatus", ascii_id(16), nullable=False),
    Column("OrderType", ascii_id(16), nullable=False),
    Column("CreatedAt", UtcTimestamp(), nullable=False),
    Column("Purpose", ascii_id(16), nullable=False),
    Column("User", name_text(), nullable=False),
    Column("Fleets", Integer, nullable=False),
    Column("DryRun", Boolean, nullable=False),
    Column("Engine", ascii_id(16), nullable=False),
    Column("EndedAt", UtcTimestamp(), nullable=True),
    Column("Trace", long_text(), nullable=False),
    Index("hotw_run_status", "RunStatus", "RunId"),
    Index("hotw_run_event", "EventIndexId", "RunId"),
)
_table(
    "hotw_execution",
    Column("ExecutionId", Integer, primary_key=True, autoincrement=True),
    Column("FleetIndexId", Integer, nullable=False),
    Column("ServiceIndexId", Integer, nullable=False),
    Column("EventIndexId", Integer, nullable=False),
    Column("RunId", Integer, nullable=False),
    Column("PeakTPM", Integer, nullable=True),
    Column("BAUTPM", Integer, nullable=True),
    Column("CTPeakFactor", Numeric(5, 2), nullable=True),
    Column("BufferFactor", Numeric(5, 2), nullable=True),
    Column("HostThroughPutTPM", Integer, nullable=True),
    Column("RequiredHosts", Integer, nullable=True),
    Column("HostsPresentInApollo", Integer, nullable=True),
    Column("CapacityOverrideSum", Integer, nullable=True),
    Column("PendingEPICFMCHostOrder", Integer, nullable=True),
    Column("PreferredHostType", name_text(), nullable=True),
    Column("Homogeneous", Boolean, nullable=True),
    Column("Status", ascii_id(16), nullable=False),
    Column("Reasoning", Text, nullable=False),
    Column("FleetVersionId", Integer, nullable=True),
    Column("DesiredCapacity", Integer, nullable=True),
    Column("ChildDesiredCapacity", Integer, nullable=True),
    Column("HostDistribution", JSON, nullable=True),
    Column("User", name_text(), nullable=False),
    Column("CreatedAt", UtcTimestamp(), nullable=False),
    Column("Purpose", ascii_id(16), nullable=False),
    Column("OrderType", ascii_id(16), nullable=False),
    Column("Needed", Integer, nullable=True),
    Column("CapReason", Text, nullable=True),
    Column("OrderedHosts", Integer, nullable=False),
    Column("Shortfall", Integer, nullable=False),
    Column("FleetLine", ascii_id(16), nullable=True),
    Column("FailCode", ascii_id(32), nullable=True),
    Column("InputVersions", JSON, nullable=True),
    Column("DryRun", Boolean, nullable=False),
    Column("Engine", ascii_id(16), nullable=False),
    UniqueConstraint("RunId", "FleetIndexId", name="hotw_execution_once"),
    Index("hotw_execution_fleet", "FleetIndexId", "EventIndexId", "ExecutionId"),
)

# -- ASGs --------------------------------------------------------------------------------------------------------------


def _asg_columns() -> list[SchemaItem]:
    return [
        Column("FleetIndexId", Integer, primary_key=True, autoincrement=False),
        Column("AutoScalingGroupName", name_text(), primary_key=True),
        Column("AsgTag", name_text(), nullable=True),
        Column("HostType", name_text(), nullable=True),
        Column("AutoScalingGroupRegion", name_text(), nullable=True),
        Column("EAPOnboardingStatus", Boolean, nullable=False),
        Column("EAPEnableStatus", Boolean, nullable=False),
        Column("AsgCapacityLowerBound", Integer, nullable=True),
        Column("AutoScalingGroupARN", name_text(), nullable=True),
    ]


_table("asg_details", *_asg_columns())
_table(
    "asg_details_run",
    Column("RunId", Integer, primary_key=True, autoincrement=False),
    *_asg_columns(),
    Column("RecommendedOverrideValue", Integer, nullable=False),
)
_table(
    "preferred_asg",
    Column("RecordId", Integer, primary_key=True, autoincrement=True),
    Column("FleetIndexId", Integer, nullable=False),
    Column("EventIndexId", Integer, nullable=False),
    Column("ASGs", JSON, nullable=False),
    Column("UpdatedBy", name_text(), nullable=False),
    Column("UpdatedAt", UtcTimestamp(), nullable=False),
    UniqueConstraint("FleetIndexId", "EventIndexId", name="preferred_asg_once"),
)

# -- overrides, orders, dashboard --------------------------------------------------------------------------------------

_table(
    "capacity_override_details",
    Column("RunId", Integer, primary_key=True, autoincrement=False),
    Column("FleetIndexId", Integer, primary_key=True, autoincrement=False),
    Column("AutoScalingGroupName", name_text(), primary_key=True),
    Column("CapacityOverrideName", name_text(400), nullable=False),
    Column("StartTime", UtcTimestamp(), nullable=False),
    Column("Duration", ascii_id(32), nullable=False),
    Column("OverrideValue", Integer, nullable=False),
    Column("OverrideExpiryValue", Integer, nullable=False),
    Column("OverrideTag", name_text(), nullable=True),
    Column("StartOffset", Integer, nullable=False),
    Column("EndOffset", Integer, nullable=False),
    Column("PlaceOrderIfRequired", Boolean, nullable=False),
    Column("OverrideType", ascii_id(16), nullable=False),
    Column("Justification", Text, nullable=False),
    Column("EventIndexId", Integer, nullable=False),
    Column("Purpose", ascii_id(16), nullable=False),
    Column("EndTime", UtcTimestamp(), nullable=False),
    Column("PeakEnd", UtcTimestamp(), nullable=False),
    Column("BaseCapacity", Integer, nullable=False),
    Column("OverrideStatus", ascii_id(16), nullable=False),
    Index("override_fleet", "FleetIndexId", "EventIndexId"),
)
_table(
    "fulfillment_details",
    Column("FulfillmentId", ascii_id(64), primary_key=True),
    Column("AutoScalingGroupName", name_text(), nullable=False),
    Column("FulfillmentType", ascii_id(16), nullable=False),
    Column("FulfillmentStatus", ascii_id(16), nullable=False),
    Column("FulfillmentValue", Integer, nullable=False),
    Column("FulfillmentDate", Date, nullable=False),
    Column("FulfillmentLink", Text, nullable=True),
    Column("IsEmergent", Boolean, nullable=False),
    Column("RunId", Integer, nullable=False),
    Column("FleetIndexId", Integer, nullable=False),
    Column("ExecutionId", Integer, nullable=False),
    Column("EventIndexId", Integer, nullable=False),
    Column("Purpose", ascii_id(16), nullable=False),
    Column("AvailabilityZone", name_text(), nullable=False),
    Column("FulfilledHosts", Integer, nullable=False),
    Column("PlacedAt", UtcTimestamp(), nullable=False),
    Column("StatusSince", UtcTimestamp(), nullable=True),
    Column("ApprovedAt", UtcTimestamp(), nullable=True),
    Column("DecidedBy", name_text(), nullable=True),
    Column("Reason", long_text(), nullable=True),
    Column("Superseded", Boolean, nullable=False),
    Column("Deliveries", JSON, nullable=False),
    Index("fulfillment_fleet", "FleetIndexId", "EventIndexId"),
    Index("fulfillment_event", "EventIndexId", "FulfillmentStatus", "FulfillmentId"),
    Index("fulfillment_run", "RunId", "FleetIndexId"),
)
_table(
    "hotw_dashboard",
    Column("EventIndexId", Integer, primary_key=True, autoincrement=False),
    Column("FleetIndexId", Integer, primary_key=True, autoincrement=False),
    Column("Purpose", ascii_id(16), primary_key=True),
    Column("ServiceIndexId", Integer, nullable=False),
    Column("CapacityOverrideSum", Integer, nullable=False),
    Column("OrdersVersionId", Integer, nullable=False),
    Column("LatestExecutionId", Integer, nullable=True),
    Column("LiveOrders", Integer, nullable=False),
    Column("GrantedOrders", Integer, nullable=False),
    Column("OpenOrders", Integer, nullable=False),
    Column("LostOrders", Integer, nullable=False),
    Column("ApprovedHosts", Integer, nullable=False),
    Column("FulfilledHosts", Integer, nullable=False),
    Column("Gap", Integer, nullable=False),
    Column("EventVersionId", Integer, nullable=False),
    Column("EventIsActive", Boolean, nullable=False),
    Column("DueAt", UtcTimestamp(), nullable=True),
    Index("dashboard_due", "DueAt"),
    Index("dashboard_service", "EventIndexId", "Purpose", "ServiceIndexId"),
    Index("dashboard_event_version", "EventIndexId", "EventVersionId"),
)

# -- the work of a run, and who is at work on a fleet ------------------------------------------------------------------

_table(
    "run_fleet",
    Column("RunId", Integer, primary_key=True, autoincrement=False),
    Column("FleetIndexId", Integer, primary_key=True, autoincrement=False),
    Column("FleetId", ascii_id(), nullable=False),
    Column("ClaimUntil", UtcTimestamp(), nullable=True),
    Column("BlockedSince", UtcTimestamp(), nullable=True),
)
_table(
    "fleet_lock",
    Column("FleetId", ascii_id(), primary_key=True),
    Column("LockTimestamp", UtcTimestamp(), nullable=True),
    Column("LockedBy", name_text(64), nullable=True),
    Column("Holder", ascii_id(64), nullable=True),
    Column("LeaseUntil", UtcTimestamp(), nullable=True),
    Column("Fence", big_integer(), nullable=False),
    Column("Revision", big_integer(), nullable=False),
)

# -- the kit's tables, as they were when this revision was written -----------------------------------------------------

_table(
    "outbox",
    Column("Id", big_integer(), primary_key=True, autoincrement=True),
    Column("MessageId", name_text(512), nullable=False),
    Column("Topic", ascii_id(249), nullable=False),
    Column("Type", name_text(), nullable=False),
    Column("MessageKey", name_text(512), nullable=False),
    Column("OccurredAt", UtcTimestamp(), nullable=False),
    Column("Envelope", long_text(), nullable=False),
    Column("Body", long_text(), nullable=False),
    Index("outbox_key", "MessageKey"),
)
_table(
    "inbox",
    Column("Consumer", name_text(128), primary_key=True),
    Column("MessageId", ascii_id(64), primary_key=True),
    Column("SeenAt", UtcTimestamp(), nullable=False),
    Index("inbox_seen", "SeenAt"),
)
_table(
    "idempotency_records",
    Column("RecordId", ascii_id(64), primary_key=True),
    Column("Cause", long_text(), nullable=False),
    Column("Digest", ascii_id(64), nullable=False),
    Column("State", ascii_id(16), nullable=False),
    Column("Reference", name_text(), nullable=True),
    Column("Body", long_text(), nullable=True),
    Column("ExpiresAt", UtcTimestamp(), nullable=False),
    Index("idempotency_records_expire", "ExpiresAt"),
)
_table(
    "leases",
    Column("Name", ascii_id(64), primary_key=True),
    Column("Holder", ascii_id(64), nullable=True),
    Column("LeaseUntil", UtcTimestamp(), nullable=True),
    Column("Fence", big_integer(), nullable=False),
    Column("Record", long_text(), nullable=True),
)
_table("dead_letters", Column("Id", name_text(512), primary_key=True), Column("Letter", long_text(), nullable=False))
_table("meta", Column("Name", ascii_id(64), primary_key=True), Column("Instant", UtcTimestamp(), nullable=True))

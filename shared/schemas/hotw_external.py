"""The contracts of an outside engine's results, as it posts them: HOTW records them and computes nothing (7.0.19)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from shared.schemas.base import (
    MAX_COUNT,
    VERSION_MEMBERS,
    CommandBody,
    Count,
    DecimalNumber,
    Flag,
    Id,
    Instant,
    Name,
    PositiveCount,
    Text,
    WireDate,
    WireModel,
    broken_rule,
)
from shared.schemas.hotw_svc import ExecutionStatus, FulfillmentStatus, OrderType, Purpose, RunStatus

MAX_FACTOR: Final = Decimal("999.99")  # what DECIMAL(5,2), the reference's column, holds
_DURATION: Final = re.compile(r"([0-9]{1,10})( ?s)?")
_FACTOR: Final = {"type": "number", "minimum": 0, "maximum": 999.99}


def _factor(value: Decimal) -> Decimal:
    if value > MAX_FACTOR:
        raise ValueError(f"give a number from 0 to {MAX_FACTOR}")
    return value


def _seconds(value: Any) -> Any:
    found = _DURATION.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if found is None or int(found[1]) > MAX_COUNT:
        raise ValueError('give seconds, such as "2200 s"')
    return int(found[1])


Factor = Annotated[
    DecimalNumber,
    AfterValidator(_factor),
    WithJsonSchema(_FACTOR, mode="serialization"),
    WithJsonSchema(
        {"anyOf": [{**_FACTOR, "multipleOf": 0.01}, {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,2})?$"}]},
        mode="validation",
    ),
]
Duration = Annotated[
    int,
    BeforeValidator(_seconds),
    PlainSerializer(lambda seconds: f"{seconds} s", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,8}) s$"}, mode="serialization"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9} ?s$"}, mode="validation"),
]
"""Seconds, written ``2200 s``."""
FulfillmentId = Annotated[Name, Field(max_length=64)]


class RecordedRow(WireModel):
    """A row of the source's tables. What only EPIC sets may be given and is ignored."""

    managed: ClassVar[frozenset[str]] = frozenset({"RunId", "FleetIndexId", "ServiceIndexId", "EventIndexId"})

    @model_validator(mode="before")
    @classmethod
    def _ignore_managed(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value for name, value in given.items() if name not in cls.managed}
        return given


class HotwExecutionDetails(RecordedRow):
    """The columns of ``hotw_execution``. Ids, Status and Reasoning are the body's, OrderedHosts that of its orders."""

    managed: ClassVar[frozenset[str]] = RecordedRow.managed | {
        "ExecutionId",
        "FleetId",
        "ServiceId",
        "EventId",
        "Status",
        "Reasoning",
        "CreatedAt",
        "Purpose",
        "OrderType",
        "OrderedHosts",
        "DryRun",
        "Engine",
    }

    peak_tpm: Count | None = None
    bau_tpm: Count | None = None
    ct_peak_factor: Factor | None = None
    buffer_factor: Factor | None = None
    host_through_put_tpm: Count | None = None
    required_hosts: Count | None = None
    hosts_present_in_apollo: Count | None = None
    capacity_override_sum: Count | None = None
    pending_epicfmc_host_order: Count | None = Field(default=None, alias="PendingEPICFMCHostOrder")
    preferred_host_type: Name | None = None
    homogeneous: Flag | None = None
    fleet_version_id: PositiveCount | None = None
    desired_capacity: Count | None = None
    child_desired_capacity: Count | None = None
    host_distribution: dict[Name, Count] | None = None
    user: Name | None = None
    needed: Count | None = None
    cap_reason: Text | None = None
    shortfall: Count | None = None
    fail_code: Annotated[Name, Field(max_length=32)] | None = None


class CapacityOverrideDetail(RecordedRow):
    """An override of an ASG: ``OverrideValue`` hosts from ``StartTime`` for ``Duration``."""

    auto_scaling_group_name: Name
    start_time: Instant
    duration: Duration
    override_value: Count
    capacity_override_name: Annotated[Name, Field(max_length=255)] | None = None
    override_expiry_value: Count | None = None
    override_tag: Name | None = None
    start_offset: Count | None = None
    end_offset: Count | None = None
    place_order_if_required: Flag | None = None
    override_type: OrderType | None = None
    justification: Text | None = None


class FulfillmentDetail(RecordedRow):
    """An order of hosts for an ASG; Fulfilled means that all of it is delivered."""

    fulfillment_id: FulfillmentId
    auto_scaling_group_name: Name
    fulfillment_status: FulfillmentStatus
    fulfillment_value: Count
    fulfillment_type: OrderType | None = None
    is_emergent: Flag | None = None
    fulfillment_date: WireDate | None = None
    fulfillment_link: Text | None = None

    @model_validator(mode="after")
    def _agrees_about_its_type(self) -> FulfillmentDetail:
        kind, emergent = self.fulfillment_type, self.is_emergent
        if kind is not None and emergent is not None and emergent is not (kind is OrderType.EMERGENT):
            raise broken_rule("IsEmergent", f"FulfillmentType is {kind}; correct one of the two")
        return self

    @property
    def order_type(self) -> OrderType | None:
        """By either of its two members; None where neither is given."""
        if self.fulfillment_type is not None or self.is_emergent is None:
            return self.fulfillment_type
        return OrderType.EMERGENT if self.is_emergent else OrderType.STANDARD


class AsgDetail(RecordedRow):
    """An ASG as the outside engine sees it; what is not given stays as it was."""

    auto_scaling_group_name: Name
    asg_tag: Name | None = Field(default=None, alias="AsgTag")
    host_type: Name | None = None
    auto_scaling_group_region: Name | None = None
    eap_onboarding_status: Flag | None = None
    eap_enable_status: Flag | None = None
    asg_capacity_lower_bound: Count | None = Field(default=None, alias="AsgCapacityLowerBound")
    auto_scaling_group_arn: Name | None = None
    recommended_override_value: Count | None = None


class RecordRun(CommandBody):
    """``POST /hotw/runDetail``: records an outside engine's run; with ``RunId`` updates it."""

    event_id: Id
    run_id: PositiveCount | None = None
    run_status: RunStatus | None = None
    order_type: OrderType | None = None


class UpdateRecordedRun(RecordRun):
    """``PUT /hotw/runDetail``: updates an outside engine's run."""

    run_id: PositiveCount


class RecordExecution(CommandBody):
    """``POST /hotw/executionDetail``: records what an outside engine's run came to for a fleet.

    Each list names an ASG, or a FulfillmentId, once. A window (``StartTime`` + ``Duration``) ends before 2038-01-19.
    ``FulfillmentType`` and ``IsEmergent`` agree.
    """

    ignored: ClassVar[frozenset[str]] = VERSION_MEMBERS | {"ExecutionId", "ServiceId"}

    fleet_id: Id
    event_id: Id
    run_id: PositiveCount
    status: ExecutionStatus
    reasoning: Text
    hotw_execution_details: HotwExecutionDetails = HotwExecutionDetails()
    capacity_override_details: list[CapacityOverrideDetail] = Field(default_factory=list)
    fulfillment_details: list[FulfillmentDetail] = Field(default_factory=list)
    asg_details: list[AsgDetail] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_each_once(self) -> RecordExecution:
        _once("CapacityOverrideDetails", [o.auto_scaling_group_name for o in self.capacity_override_details])
        _once("FulfillmentDetails", [order.fulfillment_id for order in self.fulfillment_details])
        _once("ASGDetails", [asg.auto_scaling_group_name for asg in self.asg_details])
        return self


class RecordDashboard(CommandBody):
    """``POST /hotw/dashboardDetail``: a fleet's sum as an outside engine reports it, and its ASGs, each once."""

    service_id: Id
    fleet_id: Id
    event_id: Id
    purpose: Purpose
    capacity_override_sum: Count
    asg_details: list[AsgDetail] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_each_asg_once(self) -> RecordDashboard:
        _once("ASGDetails", [asg.auto_scaling_group_name for asg in self.asg_details])
        return self


class RecordedExecution(WireModel):
    """An execution that was recorded; ``GET /hotw/executionDetail/{EventId}/{FleetId}`` shows all of it."""

    execution_id: PositiveCount
    run_id: PositiveCount
    event_id: Id
    fleet_id: Id
    service_id: Id
    status: ExecutionStatus


class RecordedDashboard(WireModel):
    """The sum that was recorded. The dashboard shows it while the fleet has no order for the event and purpose."""

    service_id: Id
    fleet_id: Id
    event_id: Id
    purpose: Purpose
    capacity_override_sum: Count


def _once(member: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise broken_rule(member, f"{name} comes twice; give each once")
        seen.add(name)

"""An outside engine's CapacityOverrideDetails as overrides: what EPIC needs besides is computed (7.0.28 to 7.0.31)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.hotw_svc.domain.inputs import EventFacts, FleetFacts
from services.hotw_svc.domain.instants import LAST_PLANNABLE
from services.hotw_svc.domain.orders.override import Override, base_capacity
from shared.errors import BadInput, FieldError
from shared.schemas.hotw_external import CapacityOverrideDetail
from shared.schemas.hotw_svc import Engine, OrderType, Purpose


@dataclass(frozen=True, slots=True)
class RecordedOverride:
    """An override, and the columns of its row that say nothing to EPIC."""

    override: Override
    name: str
    tag: str
    place_order_if_required: bool


def recorded_override(
    detail: CapacityOverrideDetail,
    number: int,
    *,
    run_id: int,
    event: EventFacts,
    fleet: FleetFacts,
    overrides: Collection[Override],
    order_type: OrderType,
    purpose: Purpose,
) -> RecordedOverride:
    """The override that the ``number``-th detail makes; ``overrides`` are the fleet's. Still to be settled.

    BaseCapacity is that of the fleet's ASG, else OverrideExpiryValue, else 0. BadInput for a window that ends later
    than a store can hold.
    """
    asg = next((asg for asg in fleet.asgs if asg.name == detail.auto_scaling_group_name), None)
    base = detail.override_expiry_value or 0
    if asg is not None:
        base = base_capacity(
            asg.name, desired_capacity=asg.desired_capacity, capacity_as_of=fleet.capacity_as_of, overrides=overrides
        )
    least = 0 if asg is None else asg.capacity_lower_bound or 0
    expiry = detail.override_expiry_value
    override = Override(
        run_id=run_id,
        fleet_id=fleet.fleet_id,
        event_id=event.event_id,
        asg_name=detail.auto_scaling_group_name,
        override_type=detail.override_type or order_type,
        start=detail.start_time,
        end=_end(detail, number),
        peak_end=event.peak_end,
        start_offset=event.start_offset if detail.start_offset is None else detail.start_offset,
        end_offset=event.end_offset if detail.end_offset is None else detail.end_offset,
        base_capacity=base,
        value=detail.override_value,
        expiry_value=max(base, least) if expiry is None else expiry,
        justification=detail.justification or "",
        purpose=purpose,
        engine=Engine.EXTERNAL,
    )
    return RecordedOverride(
        override,
        name=detail.capacity_override_name or override.name,
        tag=detail.override_tag or event.event_id,
        place_order_if_required=detail.place_order_if_required is not False,
    )


def _end(detail: CapacityOverrideDetail, number: int) -> datetime:
    """StartTime + Duration (7.0.31)."""
    if detail.start_time > LAST_PLANNABLE - timedelta(seconds=detail.duration):
        error = FieldError(f"/CapacityOverrideDetails/{number}/Duration", f"the override ends after {LAST_PLANNABLE}")
        raise BadInput("an override's window is later than EPIC can hold", [error])
    return detail.start_time + timedelta(seconds=detail.duration)

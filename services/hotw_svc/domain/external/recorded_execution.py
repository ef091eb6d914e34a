"""An outside engine's execution in full: the numbers it gives, and those that EPIC needs besides (7.0.27 to 7.0.32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.hotw_svc.domain.external.recorded_orders import recorded_order, updated_order
from services.hotw_svc.domain.external.recorded_overrides import RecordedOverride, recorded_override
from services.hotw_svc.domain.inputs import FleetFacts
from services.hotw_svc.domain.orders.order import Order
from services.hotw_svc.domain.orders.order_book import BookFact, OrderBook
from services.hotw_svc.domain.orders.override import Override, superseded
from shared.schemas.hotw_external import FulfillmentDetail, HotwExecutionDetails, RecordExecution
from shared.schemas.hotw_svc import ExecutionStatus, FulfillmentStatus, OrderType, Purpose

UNKNOWN_HOST_TYPE = "Unknown"


@dataclass(frozen=True, slots=True)
class ExecutionNumbers:
    """What an execution says of its hosts beyond the columns that it gives as they are."""

    ordered_hosts: int
    shortfall: int
    desired_capacity: int
    child_desired_capacity: int
    host_distribution: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Recording:
    """What an execution makes of its fleet's order book: new orders and overrides, and those that change."""

    new_orders: tuple[Order, ...]
    changed_orders: tuple[Order, ...]
    new_overrides: tuple[RecordedOverride, ...]
    superseded_overrides: tuple[Override, ...]
    facts: tuple[BookFact, ...]


def execution_numbers(command: RecordExecution, book: OrderBook) -> ExecutionNumbers:
    """The given numbers, else what follows from the orders and the fleet.

    The hosts that it ordered are those of orders that the book does not have yet: an earlier execution ordered others.
    """
    given, fleet = command.hotw_execution_details, book.fleet
    known = {order.fulfillment_id for order in book.orders}
    placed = [detail for detail in command.fulfillment_details if detail.fulfillment_id not in known]
    ordered = sum(detail.fulfillment_value for detail in placed)
    desired, children = given.desired_capacity, given.child_desired_capacity
    return ExecutionNumbers(
        ordered_hosts=ordered,
        shortfall=_shortfall(command.status, given, ordered),
        desired_capacity=fleet.desired_capacity + ordered if desired is None else desired,
        child_desired_capacity=fleet.child_desired_capacity if children is None else children,
        host_distribution=_by_host_type(command, placed, fleet)
        if given.host_distribution is None
        else given.host_distribution,
    )


def recording(
    command: RecordExecution,
    book: OrderBook,
    *,
    execution_id: int,
    order_type: OrderType,
    user: str,
    now: datetime,
) -> Recording:
    """What the execution makes of the book. Conflict for an order that may not become what the body says."""
    known = {order.fulfillment_id: order for order in book.orders if order.event_id == command.event_id}
    zones = {asg.name: asg.zone for asg in book.fleet.asgs}
    purpose = book.key.purpose
    new, changed = [], []
    for detail in command.fulfillment_details:
        before = known.get(detail.fulfillment_id)
        if before is None:
            order = recorded_order(
                detail,
                run_id=command.run_id,
                fleet_id=command.fleet_id,
                event_id=command.event_id,
                zone=zones.get(detail.auto_scaling_group_name, ""),
                order_type=order_type,
                purpose=purpose,
                user=user,
                now=now,
            )
            new.append(replace(order, execution_id=execution_id))
        else:
            after = updated_order(before, detail, now=now, user=user)
            if after is not before:
                changed.append(after)
    overrides = [
        recorded_override(
            detail,
            number,
            run_id=command.run_id,
            event=book.event,
            fleet=book.fleet,
            overrides=book.overrides,
            order_type=order_type,
            purpose=purpose,
        )
        for number, detail in enumerate(command.capacity_override_details)
    ]
    raised = {item.override.asg_name for item in overrides}
    gone = [o for o in book.overrides if o.is_live and o.event_id == command.event_id and o.asg_name in raised]
    made_up_for = _made_up_for(command, known, {order.fulfillment_id for order in changed}, purpose)
    facts = _facts(new, changed, known)
    version_id = book.version_id + len(facts)
    return Recording(
        new_orders=tuple(replace(order, orders_version_id=version_id) for order in new),
        changed_orders=tuple(replace(order, orders_version_id=version_id) for order in (*changed, *made_up_for)),
        new_overrides=tuple(overrides),
        superseded_overrides=tuple(superseded(override) for override in gone),
        facts=facts,
    )


def recorded_book(book: OrderBook, made: Recording) -> OrderBook:
    """The book with what was recorded, before it is settled; its facts have their numbers already."""
    changed = {order.fulfillment_id: order for order in made.changed_orders}
    gone = {(o.run_id, o.asg_name): o for o in made.superseded_overrides}
    return replace(
        book,
        orders=(*(changed.get(o.fulfillment_id, o) for o in book.orders), *made.new_orders),
        overrides=(
            *(gone.get((o.run_id, o.asg_name), o) for o in book.overrides),
            *(item.override for item in made.new_overrides),
        ),
        version_id=book.version_id + len(made.facts),
    )


def _shortfall(status: ExecutionStatus, given: HotwExecutionDetails, ordered: int) -> int:
    """A Success lacks nothing, whatever it ordered."""
    if given.shortfall is not None:
        return given.shortfall
    if status is ExecutionStatus.SUCCESS or given.capacity_override_sum is None:
        return 0
    return max(0, given.capacity_override_sum - ordered)


def _by_host_type(command: RecordExecution, placed: Sequence[FulfillmentDetail], fleet: FleetFacts) -> dict[str, int]:
    """Ordered hosts by the ASG's host type, else the fleet's, else Unknown (7.5.26, 7.5.27)."""
    types = {asg.name: asg.host_type for asg in fleet.asgs}
    types |= {asg.auto_scaling_group_name: asg.host_type for asg in command.asg_details if asg.host_type is not None}
    found: dict[str, int] = {}
    for detail in placed:
        kind = types.get(detail.auto_scaling_group_name) or fleet.host_type or UNKNOWN_HOST_TYPE
        found[kind] = found.get(kind, 0) + detail.fulfillment_value
    return found


def _made_up_for(
    command: RecordExecution, known: Mapping[str, Order], named: set[str], purpose: Purpose
) -> tuple[Order, ...]:
    """The lost orders that a Success plans without (7.8.14)."""
    if command.status is not ExecutionStatus.SUCCESS or purpose is not Purpose.UPSCALING:
        return ()
    lost = (order for order in known.values() if order.is_lost and order.fulfillment_id not in named)
    return tuple(replace(order, superseded=True) for order in lost)


def _facts(new: list[Order], changed: list[Order], before: Mapping[str, Order]) -> tuple[BookFact, ...]:
    """The completed execution, its new orders, then what became of earlier ones."""
    placed = tuple(order.fulfillment_id for order in new)
    by_topic: dict[str, list[str]] = {}
    for order in changed:
        if order.status is not before[order.fulfillment_id].status:
            by_topic.setdefault(_topic(order.status), []).append(order.fulfillment_id)
    return (
        BookFact("hotw.execution.completed", placed),
        *((BookFact("hotw.order.placed", placed),) if placed else ()),
        *(BookFact(topic, tuple(ids)) for topic, ids in by_topic.items()),
    )


def _topic(status: FulfillmentStatus) -> str:
    if status is FulfillmentStatus.FULFILLED:
        return "hotw.fulfillment.updated"
    return "hotw.order.expired" if status is FulfillmentStatus.EXPIRED else "hotw.order.reviewed"

"""Executions' inputs for hypothesis: the reference's fleet with any numbers, ASGs, past orders and AZ factors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from services.hotw_svc.adapters.inputs.facts import az_factors
from services.hotw_svc.domain.inputs import InventoryFacts, Philosophy
from services.hotw_svc.domain.orders.order import Delivery, Order
from services.hotw_svc.domain.orders.override import Override, OverrideStatus
from services.hotw_svc.domain.runs.distribution import EVEN
from shared.schemas.hotw_svc import FulfillmentStatus
from tests.support.hotw_inputs import NOW, asgs, fortress, order, override

counts = st.none() | st.integers(0, 400)
fleets = st.lists(st.tuples(st.none() | st.integers(0, 40), st.booleans()), max_size=5).map(
    lambda drawn: tuple(
        replace(asg, eap_onboarding_status=open_to_eap)
        for asg, (_, open_to_eap) in zip(asgs(*(room for room, _ in drawn), desired=30), drawn, strict=True)
    )
)
DELIVERABLE = (
    FulfillmentStatus.APPROVED,
    FulfillmentStatus.DELAYED,
    FulfillmentStatus.CANCELLED,
    FulfillmentStatus.EXPIRED,
)


def past_order(letter: str, status: FulfillmentStatus, value: int, part: bool) -> Order:
    """An order as it can stand: delivered in full, in part where its state allows that, or not at all."""
    delivered = value if status is FulfillmentStatus.FULFILLED else 1 if part and status in DELIVERABLE else 0
    return order(
        letter,
        fulfillment_id=f"F4-42-{letter}-{status}-{value}",
        status=status,
        value=value,
        approved_at=NOW if status in (FulfillmentStatus.APPROVED, FulfillmentStatus.FULFILLED) else None,
        deliveries=(Delivery(delivered, NOW),) if delivered else (),
    )


past_orders = st.lists(
    st.builds(
        past_order, st.sampled_from("abcde"), st.sampled_from(FulfillmentStatus), st.integers(2, 30), st.booleans()
    ),
    max_size=4,
).map(tuple)


def overrides_of(orders: tuple[Order, ...], *, early: bool) -> tuple[Override, ...]:
    """The live override of every ASG something was ordered for; `early`: already on."""
    on = {"status": OverrideStatus.STARTED, "start": datetime(2024, 6, 1, tzinfo=UTC)} if early else {}
    return tuple(override(letter, base_capacity=30, **on) for letter in sorted({o.asg_name[-1] for o in orders}))


any_inputs = st.builds(
    lambda tpm, throughput, cap, minimum, present, fleet_asgs, orders, early, weights: fortress(
        projection={"manual_override": tpm},
        fleet={"host_throughput_tpm": throughput, "max_host_count": cap, "asgs": fleet_asgs},
        philosophy=Philosophy(min_hosts=minimum),
        inventory=None if present is None else InventoryFacts(present, NOW),
        orders=orders,
        overrides=overrides_of(orders, early=early),
        az_factors=weights,
    ),
    st.integers(0, 100_000),
    st.integers(1, 1_000),
    counts,
    counts,
    counts,
    fleets,
    past_orders,
    st.booleans(),
    st.sampled_from([EVEN, az_factors({"us-east-1a": 2, "us-east-1b": "0.5", "us-east-1c": 0})]),
)

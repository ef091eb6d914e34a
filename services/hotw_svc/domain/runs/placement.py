"""Where needed hosts go: the ASGs that may take them, the orders and the overrides that follow (HOTW rules 5, 8, 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.hotw_svc.domain.inputs import AsgFacts, Inputs
from services.hotw_svc.domain.instants import LAST_PLANNABLE
from services.hotw_svc.domain.orders.order import Order, fulfillment_id
from services.hotw_svc.domain.orders.override import Override, base_capacity, proposed, settled, superseded
from services.hotw_svc.domain.runs import reasoning
from services.hotw_svc.domain.runs.distribution import UNBOUNDED, Distribution, Site, distribute

UNKNOWN_HOST_TYPE = "Unknown"


@dataclass(frozen=True, slots=True)
class Placement:
    """A distribution, and why it is empty although hosts are needed."""

    distribution: Distribution
    obstacles: tuple[str, ...] = ()


def place(inputs: Inputs, need: int, now: datetime) -> Placement:
    """Finds room for `need` hosts; what matters only for hosts (EAP, SPCO dates, ASGs) is asked only when there are."""
    nowhere = Distribution(by_asg={}, by_zone={}, full_zones=(), shortfall=need)
    if not need:
        return Placement(nowhere)
    eligible = [asg for asg in inputs.fleet.asgs if asg.eap_onboarding_status]
    obstacles = _obstacles(inputs, eligible, now)
    if obstacles:
        return Placement(nowhere, obstacles)
    distribution = distribute(need, [_site(inputs, asg) for asg in eligible], inputs.az_factors)
    if not distribution.ordered:
        return Placement(distribution, (reasoning.full(distribution),))
    return Placement(distribution)


def place_orders(inputs: Inputs, distribution: Distribution, *, expected: date, now: datetime) -> tuple[Order, ...]:
    """One Pending order for each ASG that gets hosts, numbered from 1 in the distribution's order."""
    zones = {asg.name: asg.zone for asg in inputs.fleet.asgs}
    run = inputs.run
    return tuple(
        Order(
            fulfillment_id=fulfillment_id(run_id=run.run_id, fleet_index_id=inputs.fleet_index_id, number=number),
            run_id=run.run_id,
            fleet_id=inputs.fleet.fleet_id,
            event_id=inputs.event.event_id,
            asg_name=name,
            zone=zones[name],
            order_type=run.order_type,
            value=hosts,
            placed_at=now,
            fulfillment_date=expected,
            purpose=run.purpose,
            status_since=now,
        )
        for number, (name, hosts) in enumerate(distribution.by_asg.items(), start=1)
    )


def raise_asgs(
    inputs: Inputs, new: Sequence[Order], *, now: datetime
) -> tuple[tuple[Override, ...], tuple[Override, ...]]:
    """An override for each ASG that gets hosts, and the ASGs' live ones of this event, which are superseded by them."""
    if not new:
        return (), ()
    event = inputs.event
    asgs = {asg.name: asg for asg in inputs.fleet.asgs}
    live = {o.asg_name: o for o in inputs.overrides if o.is_live and o.event_id == event.event_id}
    orders, window = (*inputs.event_orders, *new), event.override_window
    made = []
    for order in new:
        asg = asgs[order.asg_name]
        base = _base(inputs, asg)
        override = proposed(
            live.get(asg.name),
            order=order,
            window=window,
            base=base,
            justification=f"{event.event_id}: {order.value:,} more on {asg.name} for the peak.",
        )
        made.append(
            settled(
                override,
                window=window,
                withdrawn=False,
                base=base,
                lower_bound=asg.capacity_lower_bound,
                orders=orders,
                now=now,
            )
        )
    return tuple(made), tuple(superseded(live[order.asg_name]) for order in new if order.asg_name in live)


def host_distribution(inputs: Inputs, distribution: Distribution) -> dict[str, int]:
    """Ordered hosts by host type: the ASG's own, else the fleet's, else Unknown."""
    types = {asg.name: asg.host_type or inputs.fleet.host_type or UNKNOWN_HOST_TYPE for asg in inputs.fleet.asgs}
    found: dict[str, int] = {}
    for name, hosts in distribution.by_asg.items():
        found[types[name]] = found.get(types[name], 0) + hosts
    return found


def _obstacles(inputs: Inputs, eligible: Sequence[AsgFacts], now: datetime) -> tuple[str, ...]:
    """Why nothing can be ordered anywhere: the reasons of the first row of the status table that holds."""
    dates = inputs.event.order_dates.get(inputs.fleet.region)
    if dates is not None and not dates.hold(now):  # 7.6.4
        return (reasoning.not_order_time(inputs, dates),)
    closed = [] if inputs.fleet.eap_enrolled else [reasoning.NOT_ENROLLED]
    if not eligible:
        closed.append(reasoning.no_asg(inputs))
    if closed:  # 7.6.5
        return tuple(closed)
    end = inputs.event.override_window.end
    if end > LAST_PLANNABLE:
        return (reasoning.beyond_plannable(end.date(), LAST_PLANNABLE.date()),)
    if not any(inputs.az_factors.weight(asg.zone) for asg in eligible):
        return (reasoning.no_zone(sorted({asg.zone for asg in eligible})),)
    return ()


def _site(inputs: Inputs, asg: AsgFacts) -> Site:
    ceiling = UNBOUNDED if asg.max_override_capacity is None else asg.max_override_capacity
    taken = sum(order.standing_hosts for order in inputs.event_orders if order.asg_name == asg.name)
    return Site(asg.name, asg.zone, max(0, ceiling - _base(inputs, asg) - taken))


def _base(inputs: Inputs, asg: AsgFacts) -> int:
    return base_capacity(
        asg.name,
        desired_capacity=asg.desired_capacity,
        capacity_as_of=inputs.fleet.capacity_as_of,
        overrides=inputs.overrides,
    )

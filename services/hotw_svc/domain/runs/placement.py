"""Where needed hosts go: the ASGs that may take them, the orders and the overrides that follow (HOTW rules 5, 8, 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.hotw_svc.domain.inputs import AsgFacts, Inputs
from services.hotw_svc.domain.instants import LAST_PLANNABLE
from services.hotw_svc.domain.orders.order import Order, fulfillment_id
from services.hotw_svc.domain.orders.override import (
    Override,
    OverrideStatus,
    base_capacity,
    must_carry,
    proposed,
    settled,
    superseded,
)
from services.hotw_svc.domain.orders.settlement import revalued
from services.hotw_svc.domain.runs import reasoning
from services.hotw_svc.domain.runs.distribution import UNBOUNDED, Distribution, Site, distribute
from services.hotw_svc.domain.runs.eligibility import eligible_asgs
from services.hotw_svc.domain.wording import listed

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
    eligible = eligible_asgs(inputs)
    obstacles = _obstacles(inputs, eligible, now)
    if obstacles:
        return Placement(nowhere, obstacles)
    distribution = distribute(need, sites(inputs), inputs.az_factors)
    if not distribution.ordered:
        return Placement(distribution, (reasoning.full(distribution),))
    return Placement(distribution)


def sites(inputs: Inputs) -> list[Site]:
    """The ASGs that may take hosts, with their room (7.5.16)."""
    return [_site(inputs, asg) for asg in eligible_asgs(inputs)]


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


@dataclass(frozen=True, slots=True)
class Raised:
    """The overrides that an execution makes, the live ones that these supersede, and other events' with a new value."""

    made: tuple[Override, ...] = ()
    superseded: tuple[Override, ...] = ()
    revalued: tuple[Override, ...] = ()


def raise_asgs(inputs: Inputs, new: Sequence[Order], *, now: datetime) -> Raised:
    """An override for each ASG that gets hosts, or that must carry those of several other events (docs/adr/0016).

    The ASGs' live overrides of this event are superseded by them. They are in force where the new orders are approved.
    """
    event = inputs.event
    if not new and not inputs.overrides:
        return Raised()
    live = {o.asg_name: o for o in inputs.overrides if o.is_live and o.event_id == event.event_id}
    ordered = {order.asg_name: order.value for order in new}
    asgs = {asg.name: asg for asg in inputs.fleet.asgs}
    carrying = sorted(name for name in asgs if name not in ordered and _carries(inputs, name, live.get(name)))
    raised = [asgs[name] for name in (*ordered, *carrying)]
    if not raised:
        return Raised()
    orders = (*inputs.event_orders, *new)
    made = tuple(_raised(inputs, asg, live.get(asg.name), orders, ordered.get(asg.name), now) for asg in raised)
    gone = tuple(superseded(live[asg.name]) for asg in raised if asg.name in live)
    theirs = revalued(
        (*inputs.orders, *new),
        inputs.overrides,
        (*gone, *made),
        event=event,
        fleet=inputs.fleet,
        windows=inputs.windows,
    )
    return Raised(made, gone, tuple(theirs))


def _carries(inputs: Inputs, asg_name: str, live: Override | None) -> bool:
    """Whether this peak counts hosts of several other events on the ASG that its own override does not carry yet."""
    if live is not None and live.status is not OverrideStatus.PROPOSED:
        return False
    return must_carry(inputs.shared.counted(inputs.event.event_id, asg_name))


def _raised(
    inputs: Inputs, asg: AsgFacts, live: Override | None, orders: Sequence[Order], ordered: int | None, now: datetime
) -> Override:
    event, run, base = inputs.event, inputs.run, _base(inputs, asg)
    carried = inputs.shared.counted(event.event_id, asg.name)
    what = f"{ordered:,} more on" if ordered else f"the hosts of {listed(sorted(carried))} on"
    override = proposed(
        live,
        run_id=run.run_id,
        fleet_id=inputs.fleet.fleet_id,
        event_id=event.event_id,
        asg_name=asg.name,
        order_type=run.order_type,
        purpose=run.purpose,
        window=event.override_window,
        base=base,
        justification=f"{event.event_id}: {what} {asg.name} for the peak.",
    )
    return settled(
        override,
        window=event.override_window,
        withdrawn=False,
        base=base,
        lower_bound=asg.capacity_lower_bound,
        orders=orders,
        now=now,
        carried=carried,
        ceiling=asg.max_override_capacity,
    )


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
    taken += sum(inputs.shared.counted(inputs.event.event_id, asg.name).values())
    return Site(asg.name, asg.zone, max(0, ceiling - _base(inputs, asg) - taken))


def _base(inputs: Inputs, asg: AsgFacts) -> int:
    return base_capacity(
        asg.name,
        desired_capacity=asg.desired_capacity,
        capacity_as_of=inputs.fleet.capacity_as_of,
        overrides=inputs.overrides,
    )

"""One execution: from the inputs of one fleet to its numbers, its orders and its reasoning (HOTW 3–9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction

from services.hotw_svc.domain.inputs import AsgFacts, Inputs
from services.hotw_svc.domain.membership import why_outside
from services.hotw_svc.domain.orders import approval
from services.hotw_svc.domain.orders.approval import ApprovalRule, Placing
from services.hotw_svc.domain.orders.order import Order, expected_delivery, live_hosts
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.runs import descaling, reasoning
from services.hotw_svc.domain.runs.placement import Placement, host_distribution, place, place_orders, raise_asgs, sites
from services.hotw_svc.domain.runs.presence import Presence, hosts_by_zone, pending_hosts, presence
from services.hotw_svc.domain.runs.requirement import (
    PeakTPM,
    Requirement,
    buffer_factor,
    missing,
    peak_tpm,
    required,
    too_large,
)
from services.hotw_svc.domain.runs.scope import why_no_run
from services.hotw_svc.domain.runs.zone_loss import Survival, Zones, survival
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import ExecutionStatus, Purpose

LOCK_HELD = "LockHeld"


@dataclass(frozen=True, slots=True)
class AsgOutcome:
    """One ASG of the fleet as this run saw it, with the hosts recommended for it (0 where none)."""

    asg: AsgFacts
    recommended: int
    eap_enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The result of one execution.

    A number that could not be worked out is None. `need` is CapacityOverrideSum; `ordered_hosts` + `shortfall` is the
    need. `orders` and `overrides` are new; `superseded_overrides`, `superseded_orders` and `revalued_overrides` (of
    other events) are rows that change with them. `approval_rule` is the rule that approved the orders in place of
    people. `code` names the kind of a Fail for programs. `computed` is false where `execute` had no part in it.
    """

    inputs: Inputs
    created_at: datetime
    status: ExecutionStatus
    reasoning: str
    code: str | None = None
    peak: PeakTPM | None = None
    buffer_factor: Fraction | None = None
    needed: int | None = None
    required_hosts: int | None = None
    cap: str | None = None
    presence: Presence | None = None
    pending: int | None = None
    need: int | None = None
    ordered_hosts: int = 0
    shortfall: int = 0
    late: bool = False
    host_distribution: Mapping[str, int] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
    overrides: tuple[Override, ...] = ()
    superseded_overrides: tuple[Override, ...] = ()
    superseded_orders: tuple[Order, ...] = ()
    revalued_overrides: tuple[Override, ...] = ()
    asgs: tuple[AsgOutcome, ...] = ()
    computed: bool = True
    approval_rule: ApprovalRule | None = None

    @property
    def capacity_after(self) -> int:
        """The ASGs' DesiredCapacity with what is ordered, or without what is given up (7.7.11)."""
        given_up = (self.need or 0) if self.inputs.run.purpose is Purpose.DESCALING else 0
        return self.inputs.fleet.desired_capacity + self.ordered_hosts - given_up

    @property
    def counts(self) -> bool:
        """Whether it is a fleet's latest execution for others: one that never got the lock is not, nor a dry run's."""
        return self.code != LOCK_HELD and not self.inputs.run.dry_run


def execute(inputs: Inputs, *, now: datetime) -> Execution:
    """What the fleet needs, and the orders for it. The same inputs and instant give the same execution.

    It never raises for what the documents may hold. Whatever prevents a result becomes a Fail with the reason.
    """
    execution = _executed(inputs, now)
    if inputs.run.dry_run:
        return replace(execution, reasoning=f"{reasoning.DRY_RUN} {execution.reasoning}")
    return execution


def _executed(inputs: Inputs, now: datetime) -> Execution:
    barred = _barred(inputs, now)
    if barred:
        return _failed(inputs, barred, now)
    need_of = required(inputs)
    unplannable = too_large(need_of)
    if unplannable is not None:
        return _failed(inputs, (unplannable,), now)
    if inputs.run.purpose is Purpose.DESCALING:
        return _descaled(inputs, need_of, now)
    there = presence(inputs)
    pending = pending_hosts(inputs)
    need = max(0, need_of.required - there.hosts - pending)
    survives = _survival(inputs, need_of, there, pending, need) if inputs.philosophy.zone_failures else None
    total = need if survives is None else survives.total
    loss = None if survives is None else reasoning.zone_loss(survives, need)
    return _concluded(inputs, need_of, there, pending, total, place(inputs, total, now), now, loss)


def lock_held(inputs: Inputs, *, locked_by: str, now: datetime) -> Execution:
    """The Fail of a fleet whose lock another run kept for a whole lease; it does not count as its latest."""
    sentence = f"{locked_by} is working on this fleet and did not finish in time; run it again."
    return replace(_bare(inputs, now), reasoning=sentence, code=LOCK_HELD, computed=False)


def fleet_gone(inputs: Inputs, *, now: datetime) -> Execution:
    """The Fail of a fleet that was deleted after its run began; `inputs` as last known."""
    sentence = f"Fleet {inputs.fleet.fleet_id} was deleted after the run began."
    return replace(_bare(inputs, now), reasoning=sentence, computed=False)


def _survival(inputs: Inputs, need_of: Requirement, there: Presence, pending: int, need: int) -> Survival | None:
    """What the fleet must get to survive the loss of a zone (7.14), within its bounds; None where it has no zone."""
    zones = Zones.of(hosts_by_zone(inputs, there), sites(inputs), inputs.az_factors)
    if not zones.names:
        return None
    most = MAX_COUNT if need_of.most is None else need_of.most - there.hosts - pending
    return survival(zones, need_of.needed, least=need, most=max(need, most))


def _barred(inputs: Inputs, now: datetime) -> tuple[str, ...]:
    """Why the need cannot be known: first the inputs that are missing (7.6.1), then what is outside (7.6.2, 7.0.16)."""
    event, fleet, run = inputs.event, inputs.fleet, inputs.run
    over = why_no_run(event, now, purpose=run.purpose, dry_run=run.dry_run)
    if over is not None:
        return (over,)
    raised = descaling.raised_until(inputs, now) if run.purpose is Purpose.DESCALING and not run.dry_run else None
    if raised is not None:  # 7.12.3b
        return (descaling.still_raised(raised),)
    lacking = () if inputs.service is None else missing(inputs)
    outside = why_outside(event, service_id=fleet.service_id, region=fleet.region, service=inputs.service)
    return (*lacking, *outside)


def _bare(inputs: Inputs, now: datetime) -> Execution:
    return Execution(inputs=inputs, created_at=now, status=ExecutionStatus.FAIL, reasoning="")


def _failed(inputs: Inputs, reasons: Sequence[str], now: datetime) -> Execution:
    return replace(
        _bare(inputs, now),
        reasoning=" ".join([*reasons, *filter(None, [reasoning.custom_inputs(inputs)])]),
        peak=peak_tpm(inputs),
        buffer_factor=buffer_factor(inputs),
        presence=presence(inputs),
        pending=pending_hosts(inputs),
        asgs=_asg_outcomes(inputs, {}),
    )


def _concluded(
    inputs: Inputs,
    need_of: Requirement,
    there: Presence,
    pending: int,
    need: int,
    placement: Placement,
    now: datetime,
    zone_loss: str | None,
) -> Execution:
    distribution = placement.distribution
    status = _status(need, placement)
    expected = expected_delivery(inputs.run.order_type, now)
    late = bool(distribution.ordered) and expected >= inputs.event.peak_start_date
    orders = place_orders(inputs, distribution, expected=expected, now=now)
    placing = _placing(inputs, orders, there)
    rule = approval.approving_rule(inputs.approval_rules, placing) if orders else None
    if rule is not None:
        orders = approval.approved_by(rule, orders, now=now)
    raised = raise_asgs(inputs, orders, now=now)
    success = status is ExecutionStatus.SUCCESS
    sentences = (
        _outcome(need, placement, expected),
        reasoning.late(expected, inputs.event.peak_start_date) if late else None,
        None if rule is None else approval.sentence(rule, placing, inputs.event.event_id),
        inputs.run.order_type_reason,
        reasoning.preference(inputs) if need else None,
        reasoning.requirement(need_of, inputs),
        reasoning.custom_inputs(inputs),
        reasoning.counted(inputs, need_of),
        reasoning.present(there, pending),
        zone_loss,
        reasoning.unverified(need_of),
    )
    return Execution(
        inputs=inputs,
        created_at=now,
        status=status,
        reasoning=" ".join(sentence for sentence in sentences if sentence),
        peak=need_of.peak,
        buffer_factor=need_of.buffer_factor,
        needed=need_of.needed,
        required_hosts=need_of.required,
        cap=need_of.cap,
        presence=there,
        pending=pending,
        need=need,
        ordered_hosts=distribution.ordered,
        shortfall=distribution.shortfall,
        late=late,
        host_distribution=host_distribution(inputs, distribution),
        orders=orders,
        overrides=raised.made,
        superseded_overrides=raised.superseded,
        superseded_orders=_made_up_for(inputs) if success else (),
        revalued_overrides=raised.revalued,
        asgs=_asg_outcomes(inputs, distribution.by_asg, orders),
        approval_rule=rule,
    )


def _descaled(inputs: Inputs, need_of: Requirement, now: datetime) -> Execution:
    """The Success of a Descaling execution: its need is what the fleet gives up, and it orders nothing (7.12)."""
    surplus = descaling.surplus_of(inputs, need_of)
    unplannable = descaling.unplannable(surplus)
    if unplannable is not None:
        return _failed(inputs, (unplannable,), now)
    there, pending = presence(inputs), pending_hosts(inputs)
    raised, lowered = descaling.raised_until(inputs, now), descaling.lower_asgs(inputs, surplus, now)
    sentences = (
        descaling.outcome(surplus),
        None if raised is None else descaling.still_raised(raised),  # of a dry run; any other has failed
        reasoning.requirement(need_of, inputs),
        descaling.floored(surplus),
        reasoning.custom_inputs(inputs),
        reasoning.present(there, pending),
    )
    return Execution(
        inputs=inputs,
        created_at=now,
        status=ExecutionStatus.SUCCESS,
        reasoning=" ".join(sentence for sentence in sentences if sentence),
        peak=need_of.peak,
        buffer_factor=need_of.buffer_factor,
        needed=need_of.needed,
        required_hosts=surplus.target,
        cap=need_of.cap if surplus.floor is None else None,
        presence=there,
        pending=pending,
        need=surplus.hosts,
        overrides=lowered.made,
        superseded_overrides=lowered.superseded,
        asgs=_asg_outcomes(inputs, {}),
    )


def _placing(inputs: Inputs, orders: Sequence[Order], there: Presence) -> Placing:
    return Placing(
        order_type=inputs.run.order_type,
        region=inputs.fleet.region,
        service_tier=None if inputs.service is None else inputs.service.tier,
        live_hosts=live_hosts((*inputs.event_orders, *orders)),
        hosts_present=there.hosts,
    )


def _status(need: int, placement: Placement) -> ExecutionStatus:
    if need and not placement.distribution.ordered:
        return ExecutionStatus.FAIL
    return ExecutionStatus.PARTIAL_SUCCESS if placement.distribution.shortfall else ExecutionStatus.SUCCESS


def _outcome(need: int, placement: Placement, expected: date) -> str:
    if not need:
        return reasoning.NOTHING_TO_ORDER
    if placement.obstacles:
        return reasoning.none_ordered(need, placement.obstacles)
    if placement.distribution.shortfall:
        return reasoning.partly_ordered(need, placement.distribution, expected=expected)
    return reasoning.ordered(placement.distribution, expected=expected)


def _made_up_for(inputs: Inputs) -> tuple[Order, ...]:
    return tuple(replace(order, superseded=True) for order in inputs.event_orders if order.is_lost)


def _asg_outcomes(inputs: Inputs, by_asg: Mapping[str, int], new: Sequence[Order] = ()) -> tuple[AsgOutcome, ...]:
    enabled = {order.asg_name for order in (*inputs.orders, *new) if order.approved_at is not None}
    return tuple(AsgOutcome(asg, by_asg.get(asg.name, 0), asg.name in enabled) for asg in inputs.fleet.asgs)

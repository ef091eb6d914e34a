"""How many hosts a fleet gives up after the peak, from which ASGs, and the overrides that say so (HOTW rule 12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.hotw_svc.domain.inputs import AsgFacts, Inputs
from services.hotw_svc.domain.orders.override import Override, OverrideStatus, superseded
from services.hotw_svc.domain.runs.distribution import apportion
from services.hotw_svc.domain.runs.requirement import Requirement
from services.hotw_svc.domain.wording import hosts, listed, whole
from shared.schemas.base import MAX_COUNT
from shared.schemas.hotw_svc import Purpose

NOTHING = "There is nothing to descale."
_TO_FOLLOW = timedelta(days=14)  # from the run on; as long after the peak as DescaleFulfillment is due (6.2.8)


@dataclass(frozen=True, slots=True)
class Surplus:
    """What a fleet has over its target: `hosts`, and the part of each ASG that gives up some, by its name.

    `floor` is why the target is above RequiredHosts; None where it is not.
    """

    capacity: int
    target: int
    hosts: int
    by_asg: Mapping[str, int]
    floor: str | None = None


def least_of(asg: AsgFacts) -> int:
    """What an ASG keeps in any case: MinInstance or AsgCapacityLowerBound, whichever is more."""
    return max(asg.min_instance or 0, asg.capacity_lower_bound or 0)


def surplus_of(inputs: Inputs, requirement: Requirement) -> Surplus:
    """Σ DesiredCapacity over the target, parted over the ASGs by largest remainder (7.12.7 to 7.12.13).

    The target is RequiredHosts, but never below MinHosts nor what the ASGs keep, whatever the caps. An ASG's part is in
    proportion to what it has over what it keeps. Ties go in name order.
    """
    asgs = sorted(inputs.fleet.asgs, key=lambda asg: asg.name)
    kept, minimum = sum(least_of(asg) for asg in asgs), inputs.philosophy.min_hosts or 0
    target = max(requirement.required, kept, minimum)
    floor = None
    if target > requirement.required:
        floor = "MinHosts" if target == minimum else "the sum of the ASGs' MinInstance and AsgCapacityLowerBound"
    capacity = inputs.fleet.desired_capacity
    surplus = max(0, capacity - target)
    spare = [max(0, asg.desired_capacity - least_of(asg)) for asg in asgs]
    parts, _ = apportion(surplus, spare, spare)
    by_asg = {asg.name: part for asg, part in zip(asgs, parts, strict=True) if part}
    return Surplus(capacity, target, surplus, by_asg, floor)


def raised_until(inputs: Inputs, now: datetime) -> datetime | None:
    """Until when a started override is on the fleet, which forbids a Descaling run (7.12.1); None without one."""
    ends = [override.end for override in inputs.overrides if override.has_started(now) and now < override.end]
    return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class Lowered:
    """The overrides that a Descaling execution makes, and the live ones of earlier ones that they supersede."""

    made: tuple[Override, ...] = ()
    superseded: tuple[Override, ...] = ()


def lower_asgs(inputs: Inputs, surplus: Surplus, now: datetime) -> Lowered:
    """An override down to what remains for each ASG with a part. It begins now, and nobody has to approve it.

    When it ends, the ASG stays where it is. The fleet's earlier Descaling overrides for the event are over.
    """
    event, run = inputs.event, inputs.run
    made = [
        Override(
            run_id=run.run_id,
            fleet_id=inputs.fleet.fleet_id,
            event_id=event.event_id,
            asg_name=asg.name,
            override_type=run.order_type,
            start=now,
            end=now + _TO_FOLLOW,
            peak_end=event.peak_end,
            start_offset=event.start_offset,
            end_offset=event.end_offset,
            base_capacity=asg.desired_capacity,
            value=asg.desired_capacity - surplus.by_asg[asg.name],
            expiry_value=asg.desired_capacity - surplus.by_asg[asg.name],
            justification=f"{event.event_id}: {surplus.by_asg[asg.name]:,} fewer on {asg.name} after the peak.",
            purpose=Purpose.DESCALING,
            status=OverrideStatus.APPROVED,
        )
        for asg in inputs.fleet.asgs
        if asg.name in surplus.by_asg
    ]
    live = [override for override in inputs.descales if override.is_live and override.event_id == event.event_id]
    return Lowered(tuple(made), tuple(superseded(override) for override in live))


def outcome(surplus: Surplus) -> str:
    """What is to be given up, in a sentence."""
    if not surplus.hosts:
        return f"{NOTHING} DesiredCapacity is {whole(surplus.capacity)}, the target {whole(surplus.target)}."
    parts = listed([f"{name} {whole(part)}" for name, part in surplus.by_asg.items()])
    return (
        f"{hosts(surplus.hosts)} to descale ({parts}): DesiredCapacity is {whole(surplus.capacity)}, the target "
        f"{whole(surplus.target)}."
    )


def floored(surplus: Surplus) -> str | None:
    """Why the target is above what is required; None where it is not."""
    return None if surplus.floor is None else f"The target is not below {whole(surplus.target)} ({surplus.floor})."


def still_raised(end: datetime) -> str:
    """Why a fleet is not descaled yet."""
    return f"A started override is on the fleet until {end:%Y-%m-%d %H:%M} UTC: run its descaling after that."


def unplannable(surplus: Surplus) -> str | None:
    """The sentence that refuses a capacity that no contract can carry; None for any other."""
    if max(surplus.capacity, surplus.target) <= MAX_COUNT:
        return None
    return f"{whole(surplus.capacity)} hosts cannot be right: {whole(MAX_COUNT)} is the most EPIC can plan."

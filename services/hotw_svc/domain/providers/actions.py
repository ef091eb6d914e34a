"""The scheduled actions that bring a group its curve, and which are still to be asked for (7.8.38 to 7.8.42)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.hotw_svc.domain.inputs import AsgFacts
from services.hotw_svc.domain.providers.curve import Step

LEAD = timedelta(seconds=90)
"""So long before it runs an action is asked for at the least: a provider takes none for the past, and clocks differ."""
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Action:
    """A scheduled action of a group: from ``at`` on it has these sizes. ``max_size`` None leaves that as it is."""

    name: str
    event_id: str
    at: datetime
    min_size: int
    desired_capacity: int
    max_size: int | None
    restores: bool = False

    def sets_as(self, other: Action) -> bool:
        """Whether both are one action with the same sizes, whenever they run."""
        return replace(self, at=other.at) == other


@dataclass(frozen=True, slots=True)
class GroupSizes:
    """The sizes that a group has without EPIC; None where nobody has said."""

    min_size: int | None
    max_size: int | None


@dataclass(frozen=True, slots=True)
class GroupState:
    """What a provider says of a group: its sizes now, and its scheduled actions by name."""

    min_size: int
    desired_capacity: int
    max_size: int
    actions: tuple[Action, ...] = ()


def own_sizes(asg: AsgFacts | None, found: GroupSizes) -> GroupSizes:
    """MinInstance and MaxInstance, else what the group had before EPIC first asked for anything."""
    if asg is None:
        return found
    least = found.min_size if asg.min_instance is None else asg.min_instance
    return GroupSizes(least, found.max_size if asg.max_instance is None else asg.max_instance)


def actions_of(group_name: str, steps: Iterable[Step], sizes: GroupSizes) -> tuple[Action, ...]:
    """One action for each step, by the time they run; of two steps in one second only the later has one.

    A group takes one action at a time, and a provider counts in whole seconds.
    """
    made = (_action(group_name, step, sizes) for step in steps)
    return tuple({action.at: action for action in made}.values())


def still_to_run(actions: Sequence[Action], asked: Collection[Action], now: datetime) -> tuple[Action, ...]:
    """The actions that a provider must have from now on: those to come, and the present one until it was asked for.

    The present one runs as soon as it can. Where it was asked for already it is past, or about to run. A restoring one
    is asked for only where something was: a group that EPIC never raised is left alone.
    """
    coming = [action for action in actions if action.at > now]
    past = [action for action in actions if action.at <= now]
    if not past:
        return tuple(coming)
    present = past[-1]
    soon = _whole_second(now + LEAD)
    before = next((action for action in asked if action.sets_as(present) and action.at <= soon), None)
    if before is not None:
        return (before, *coming) if before.at > now else tuple(coming)
    if present.restores and not asked:
        return tuple(coming)
    if coming and coming[0].at <= soon:
        return tuple(coming)
    return (replace(present, at=soon), *coming)


def present_action(asked: Iterable[Action], now: datetime) -> Action | None:
    """The action that was asked for and has set the group's sizes last; None before the first."""
    return max((action for action in asked if action.at <= now), key=lambda action: action.at, default=None)


def is_at_rest(asked: Iterable[Action], now: datetime) -> bool:
    """Whether the group has gone back to its own sizes, or was never raised, and nothing is to come."""
    asked = tuple(asked)
    present = present_action(asked, now)
    return (present is None or present.restores) and not any(action.at > now for action in asked)


def without_present(asked: Iterable[Action], now: datetime) -> tuple[Action, ...]:
    """What was asked for but for what set the sizes last, so that it is asked for anew."""
    asked = tuple(asked)
    present = present_action(asked, now)
    return tuple(action for action in asked if action is not present)


def remembered(asked: Iterable[Action], submitted: Sequence[Action], now: datetime) -> tuple[Action, ...]:
    """What a provider has been asked for after a submission: the one that runs now, and all that was submitted."""
    present = present_action(asked, now)
    return (*((present,) if present is not None else ()), *submitted)


def drift_of(state: GroupState | None, asked: Sequence[Action], now: datetime) -> str | None:
    """How a group differs from what was asked for, in a sentence; None where it does not (7.9.26).

    A group that has gone back to its own sizes is its owner's. What was about to run in the last moments is not judged.
    """
    if state is None:
        return "the provider has no such group"
    present = present_action(asked, now - LEAD)
    if present is not None and not present.restores and present == present_action(asked, now):
        has = f"it has {state.desired_capacity} hosts, at least {state.min_size}"
        asked_for = f"{present.desired_capacity}, at least {present.min_size}"
        if (state.min_size, state.desired_capacity) != (present.min_size, present.desired_capacity):
            return f"{has}; {asked_for}, were asked for"
    scheduled = {action.name: action for action in state.actions}
    for action in asked:
        if action.at > now + LEAD and not is_scheduled(action, scheduled.get(action.name)):
            return f"the scheduled action {action.name} is not there as it was asked for"
    return None


def is_scheduled(action: Action, scheduled: Action | None) -> bool:
    """Whether a provider has the action as it is wanted."""
    if scheduled is None:
        return False
    sizes = (scheduled.at, scheduled.min_size, scheduled.desired_capacity, scheduled.max_size)
    return sizes == (action.at, action.min_size, action.desired_capacity, action.max_size)


def _action(group_name: str, step: Step, sizes: GroupSizes) -> Action:
    name = action_name(step.event_id, group_name, step.number)
    at = _whole_second(step.at)
    if step.value is None:
        least = min(step.expiry_value, step.expiry_value if sizes.min_size is None else sizes.min_size)
        most = None if sizes.max_size is None else max(sizes.max_size, step.expiry_value)
        return Action(name, step.event_id, at, least, step.expiry_value, most, restores=True)
    most = step.value if sizes.max_size is None else max(sizes.max_size, step.value)
    return Action(name, step.event_id, at, step.value, step.value, most)


def is_epics(name: str, group_name: str) -> bool:
    """Whether a group's scheduled action has the form of the names that EPIC gives."""
    head, _, number = name.rpartition("-")
    return number.isdecimal() and any(head.endswith(f"-{group}") for group in (group_name, _digest(group_name)))


def action_name(event_id: str, group_name: str, number: int) -> str:
    """``{EventId}-{AutoScalingGroupName}-{n}`` (7.8.39); of a name that is too long for AWS, the group's digest."""
    name = f"{event_id}-{group_name}-{number}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{event_id}-{_digest(group_name)}-{number}"


def _whole_second(moment: datetime) -> datetime:
    """The moment, or the next whole second."""
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)


def _digest(group_name: str) -> str:
    return hashlib.sha256(group_name.encode()).hexdigest()[:32]

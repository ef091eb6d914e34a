"""A provider in memory that is as strict as AWS, and fails where a test says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.hotw_svc.app.providers.provider import GroupName
from services.hotw_svc.domain.providers.actions import Action, GroupState
from tests.support.clock import FixedClock


@dataclass
class FakeGroup:
    """The sizes of a group, and its actions by name."""

    min_size: int
    desired_capacity: int
    max_size: int
    actions: dict[str, Action] = field(default_factory=dict)


@dataclass
class FakeProvider:
    """Refuses an action in the past, or at the time of another, and sizes that do not fit.

    ``failing`` is raised by the next request before it acts, ``failing_after`` after it has acted; ``refusing`` names
    actions that it does not take.
    """

    clock: FixedClock
    groups: dict[GroupName, FakeGroup] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)
    failing_after: list[BaseException] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)

    async def submit(self, group: GroupName, actions: Sequence[Action]) -> Mapping[str, str]:
        self._begin(f"submit {', '.join(action.name for action in actions)}")
        there = self._run(group).actions
        refused = {}
        for action in actions:
            taken = {other.at for name, other in there.items() if name != action.name}
            if action.name in self.refusing or action.at <= self.clock.now() or action.at in taken:
                refused[action.name] = "not taken"
            else:
                there[action.name] = action
        self._end()
        return refused

    async def cancel(self, group: GroupName, names: Collection[str]) -> Mapping[str, str]:
        self._begin(f"cancel {', '.join(names)}")
        for name in names:
            self._run(group).actions.pop(name, None)
        self._end()
        return {}

    async def read_back(self, group: GroupName) -> GroupState | None:
        self._begin("")
        if group not in self.groups:
            return None
        found = self._run(group)
        return GroupState(found.min_size, found.desired_capacity, found.max_size, tuple(found.actions.values()))

    def curve(self, group: GroupName) -> list[tuple[datetime, int]]:
        """When the group gets which capacity."""
        actions = sorted(self._run(group).actions.values(), key=lambda action: action.at)
        return [(action.at, action.desired_capacity) for action in actions]

    def _run(self, group: GroupName) -> FakeGroup:
        """The group as the actions that are due have left it."""
        found = self.groups[group]
        for action in sorted(found.actions.values(), key=lambda action: action.at):
            if action.at <= self.clock.now():
                del found.actions[action.name]
                found.min_size, found.desired_capacity = action.min_size, action.desired_capacity
                found.max_size = found.max_size if action.max_size is None else action.max_size
        return found

    def _begin(self, what: str) -> None:
        if self.failing:
            raise self.failing.pop()
        if what:
            self.asked.append(what)

    def _end(self) -> None:
        if self.failing_after:
            raise self.failing_after.pop()

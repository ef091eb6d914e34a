"""The port of a provider: whoever changes the capacity of groups when HOTW asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.hotw_svc.domain.providers.actions import Action, GroupState
from shared.errors import Unavailable


class Throttled(Unavailable):
    """The provider takes no more requests for a while."""

    slug, title = "provider-throttled", "The provider waits"


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group of a region, by its AutoScalingGroupName."""

    region: str
    name: str


class Provider(Protocol):
    """Three operations. Each may be repeated: the same again changes nothing.

    Unavailable when the provider does not answer; what was asked for may have been done all the same. Throttled when
    it wants to be left alone for a while.
    """

    async def submit(self, group: GroupName, actions: Sequence[Action]) -> Mapping[str, str]:
        """Schedules actions, each in the place of one with its name; why those were refused that were, by name."""

    async def cancel(self, group: GroupName, names: Collection[str]) -> Mapping[str, str]:
        """Takes scheduled actions back; why those were refused that were, by name. One that is gone is no refusal."""

    async def read_back(self, group: GroupName) -> GroupState | None:
        """The group as it is now, with its scheduled actions; None where there is no such group."""

"""What the use cases of providers need of a store: the groups to ask for, and what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.hotw_svc.domain.inputs import AsgFacts
from services.hotw_svc.domain.orders.override import Override
from services.hotw_svc.domain.providers.actions import Action, GroupSizes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderGroup:
    """A group of a fleet, what its provider was asked for, and what it should be asked for by.

    ``overrides`` are the group's for every event; ``asg`` is None where the fleet has it no more. ``found`` are its
    sizes before EPIC first asked for anything. ``revision`` grows with each change of its curve; ``attempts`` counts
    those that failed since, ``drifts`` the consecutive looks that found another capacity.
    """

    fleet_id: str
    fleet_index_id: int
    name: str
    region: str
    asg: AsgFacts | None
    overrides: tuple[Override, ...]
    asked: tuple[Action, ...]
    found: GroupSizes
    revision: int
    attempts: int
    drifts: int


class ProviderGroupRows(Protocol):
    """The queue of groups whose curve changed, and the groups that a provider was asked for."""

    async def claim_due(self, limit: int, seconds: float) -> list[ProviderGroup]:
        """Groups to ask for now. Nobody else gets them for so many seconds, whatever becomes of this process."""

    async def claim_looks(self, limit: int, every: float) -> list[ProviderGroup]:
        """Groups that were asked for and not looked at for ``every`` seconds; not those that are still to be asked."""

    async def is_current(self, group: ProviderGroup) -> bool:
        """Whether the group's curve is still the one that was read."""

    async def asked(self, group: ProviderGroup, asked: Sequence[Action], found: GroupSizes) -> None:
        """The provider was asked for all of it. The group stays due where its curve changed meanwhile."""

    async def failed(self, group: ProviderGroup, reason: str, pause: float) -> None:
        """Asks again after ``pause`` seconds."""

    async def ask_again(self, group: ProviderGroup, asked: Sequence[Action]) -> None:
        """The group is due, as if its curve had changed; ``asked`` is what it need not be asked for again."""

    async def leave(self, group: ProviderGroup) -> None:
        """Nobody looks at the group any more, until it is asked for again."""

    async def drifted(self, group: ProviderGroup, drifts: int) -> None:
        """Keeps how many consecutive looks found another capacity."""

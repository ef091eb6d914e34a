"""A provider for rehearsals: what it is asked for is recorded in the log, and nobody is called (2.30b)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import structlog

from services.hotw_svc.app.providers.provider import GroupName
from services.hotw_svc.domain.providers.actions import Action, GroupState

log = structlog.get_logger(__name__)


class RehearsedProvider:
    """Takes everything, and shows each group with what it was asked for since this process began."""

    def __init__(self) -> None:
        self._actions: dict[GroupName, dict[str, Action]] = {}

    async def submit(self, group: GroupName, actions: Sequence[Action]) -> Mapping[str, str]:
        self._actions.setdefault(group, {}).update({action.name: action for action in actions})
        log.info("a provider would be asked", group=group.name, actions=[action.name for action in actions])
        return {}

    async def cancel(self, group: GroupName, names: Collection[str]) -> Mapping[str, str]:
        for name in names:
            self._actions.get(group, {}).pop(name, None)
        log.info("a provider would be asked to take back", group=group.name, actions=sorted(names))
        return {}

    async def read_back(self, group: GroupName) -> GroupState | None:
        return GroupState(0, 0, 0, tuple(self._actions.get(group, {}).values()))

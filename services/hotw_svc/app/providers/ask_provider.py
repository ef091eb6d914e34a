"""Use case: ask the provider for the curves that changed (7.8.37 to 7.8.42).

What a decision changes is queued in the transaction that decides (``provider_group``), and asked for here. A provider
that is away, or that acts and does not answer, is asked again after a while: the names of actions make that harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from services.hotw_svc.app.ports import Store
from services.hotw_svc.app.providers.provider import GroupName, Provider, Throttled
from services.hotw_svc.app.providers.rows import ProviderGroup
from services.hotw_svc.domain.providers.actions import (
    Action,
    GroupSizes,
    GroupState,
    actions_of,
    is_at_rest,
    is_epics,
    is_scheduled,
    own_sizes,
    remembered,
    still_to_run,
)
from services.hotw_svc.domain.providers.curve import combined_curve
from shared.clock import Clock
from shared.durability.backoff import Backoff
from shared.errors import EpicError, Unavailable

_GROUPS: Final = 20  # of a claim; each takes a few requests of the provider, and all of them less than the claim
_CLAIM_SECONDS: Final = 300.0  # twenty groups whose requests all time out take less
_BACKOFF: Final = Backoff(first=2.0, longest=300.0)  # AWS gives a throttled account some requests a second again

log = structlog.get_logger(__name__)


class ProviderRefused(EpicError):
    """The provider refused a part of what it was asked for."""


async def ask_provider(*, store: Store, provider: Provider, clock: Clock) -> bool:
    """Asks for some of the groups that are due; whether there may be more.

    Each group fails alone, and is asked for again after a backoff. A provider that throttles is left alone with the
    rest of them too.
    """
    groups = await store.write(lambda unit: unit.provider_groups.claim_due(_GROUPS, _CLAIM_SECONDS))
    for number, group in enumerate(groups):
        try:
            await _ask(store, provider, clock, group)
        except Throttled as error:
            for waiting in groups[number:]:
                await _wait(store, waiting, error)
            return False
        except (Unavailable, ProviderRefused) as error:
            await _wait(store, group, error)
        except Exception as error:  # one group's fault delays it alone
            log.exception("a group could not be asked for", group=group.name, fleet=group.fleet_id)
            await _wait(store, group, error)
    return bool(groups)


async def _wait(store: Store, group: ProviderGroup, error: Exception) -> None:
    pause = _BACKOFF.before(group.attempts + 1)
    log.warning("a group waits for its provider", group=group.name, fleet=group.fleet_id, error=str(error))
    await store.write(lambda unit: unit.provider_groups.failed(group, str(error), pause))


async def _ask(store: Store, provider: Provider, clock: Clock, group: ProviderGroup) -> None:
    """Asks for what the group lacks and takes back what it must no longer have."""
    name = GroupName(group.region, group.name)
    state = await provider.read_back(name)
    now, found = clock.now(), group.found
    if state is not None and is_at_rest(group.asked, now):
        found = GroupSizes(state.min_size, state.max_size)
    actions = actions_of(group.name, combined_curve(group.overrides), own_sizes(group.asg, found))
    wanted = still_to_run(actions, group.asked, now)
    if not await store.read(lambda unit: unit.provider_groups.is_current(group)):
        return  # a newer curve is due by itself
    if state is not None:
        await _bring(provider, name, state, wanted)
    elif wanted:
        raise ProviderRefused(f"there is no group {group.name} in {group.region}")
    asked = remembered(group.asked, wanted, now)
    await store.write(lambda unit: unit.provider_groups.asked(group, asked, found))


async def _bring(provider: Provider, group: GroupName, state: GroupState, wanted: Sequence[Action]) -> None:
    """Makes the group's scheduled actions those that are wanted; ProviderRefused names what was not taken.

    An action whose time another one gets is taken back first, because a group takes one action at a time. Of what is
    new the ends come before the rest, so that no group is raised without one.
    """
    there = {action.name: action for action in state.actions if is_epics(action.name, group.name)}
    lacking = [action for action in wanted if not is_scheduled(action, there.get(action.name))]
    names = {action.name for action in wanted}
    moments = {action.at: action.name for action in lacking}
    gone = [a.name for a in there.values() if a.name not in names or moments.get(a.at, a.name) != a.name]
    ends = [action for action in lacking if action.restores]
    others = [action for action in lacking if not action.restores]
    if gone:
        _check(await provider.cancel(group, gone))
    for some in (ends, others):
        if some:
            _check(await provider.submit(group, some))


def _check(refused: Mapping[str, str]) -> None:
    if refused:
        raise ProviderRefused("; ".join(f"{name}: {reason}" for name, reason in sorted(refused.items())))

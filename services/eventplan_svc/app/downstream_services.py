"""Keeps who is downstream of whom, and what became of the mails with a service's TPM.

What a handler takes is stored before it calls one of these. Each first adds to what is only added to, then reads the
newest of both sides, and writes entries that are ordered by their versions. So of several processes at work at once,
whoever writes last knows everything, and a handler that died is made good when its records come again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.typed_read_models import TypedReadModel
from services.eventplan_svc.domain.downstream import (
    DownstreamServices,
    NamedUpstreams,
    NamingFleet,
    Pair,
    TPMMails,
    mails_key,
    naming_fleet,
    naming_key,
)
from services.eventplan_svc.domain.facts import Projection, TPMMail
from services.eventplan_svc.domain.history import Versioned
from services.eventplan_svc.domain.plan import plan_id

T = TypeVar("T", bound=Versioned)


async def follow_projections(projections: Iterable[tuple[str, Projection]], *, read_models: ReadModels) -> set[Pair]:
    """Takes projections by EventPlanId; gives the events and upstreams whose downstream services changed."""
    named: dict[str, set[Pair]] = {}
    for key, projection in projections:
        event_id, _, fleet_id = key.partition("#")
        named.setdefault(fleet_id, set()).update((event_id, upstream) for upstream in projection.upstreams)
    await _merge(
        read_models.named_upstreams,
        [fleet_id for fleet_id, pairs in named.items() if pairs],
        lambda fleet_id, held: (held or NamedUpstreams()).with_pairs(named[fleet_id]),
    )
    return await follow_fleets(named, read_models=read_models)


async def follow_fleets(fleet_ids: Collection[str], *, read_models: ReadModels) -> set[Pair]:
    """The same for fleets, which may have come after their projections, or belong to another service now."""
    named = await read_models.named_upstreams.get_many(fleet_ids)
    if not named:
        return set()
    fleets = await read_models.fleets.get_many(named)
    places = [(pair, fleet_id) for fleet_id, one in named.items() for pair in one.pairs]
    projections = await read_models.projections.get_many(plan_id(event_id, name) for (event_id, _), name in places)
    held = await read_models.naming_fleets.get_many(naming_key(*place) for place in places)
    entries: dict[str, NamingFleet] = {}
    by_pair: dict[Pair, list[str]] = {}
    for pair, fleet_id in places:
        projection, key = projections.get(plan_id(pair[0], fleet_id)), naming_key(pair, fleet_id)
        if projection is not None:
            entries[key] = naming_fleet(pair, projection, fleets.get(fleet_id), held.get(key))
            by_pair.setdefault(pair, []).append(key)
    kept = await read_models.naming_fleets.put(entries.items())
    entries |= await read_models.naming_fleets.get_many(entries.keys() - kept)  # another process had newer ones
    return await _keep_services({pair: [entries[key] for key in keys] for pair, keys in by_pair.items()}, read_models)


async def follow_mails(mails: Mapping[tuple[Pair, int], Collection[TPMMail]], *, read_models: ReadModels) -> None:
    """Takes what became of mails, by event, the service whose TPM they held, and that TPM."""
    newest = {mails_key(*of): some for of, some in mails.items()}
    await _merge(read_models.tpm_mails, newest, lambda key, held: (held or TPMMails()).with_mails(newest[key]))


async def _keep_services(by_pair: Mapping[Pair, Iterable[NamingFleet]], read_models: ReadModels) -> set[Pair]:
    """Brings the downstream services to what the entries say; gives those that changed.

    What is written is looked at again: an entry that another process stored meanwhile may say otherwise.
    """
    pairs = {plan_id(*pair): pair for pair in by_pair}
    since: dict[str, dict[str, str]] = {key: {} for key in pairs}
    present: dict[str, set[str]] = {key: set() for key in pairs}
    for key, pair in pairs.items():
        for entry in by_pair[pair]:
            since[key].update(dict.fromkeys(entry.services, entry.since))
            if entry.downstream is not None:
                present[key].add(entry.downstream.rpartition("#")[2])

    async def named(key: str, services: Iterable[str]) -> set[str]:
        return {name for name in services if await read_models.is_named(naming_key(pairs[key], name))}

    known = await read_models.downstream_services.get_many(pairs)
    for key, one in known.items():  # one that no entry here names may be named by another fleet
        present[key] |= await named(key, {name for name, _ in one.services} & since[key].keys() - present[key])
    changed: set[str] = set()
    waiting: set[str] = set(pairs)
    while waiting:
        waiting = await _merge(
            read_models.downstream_services,
            waiting,
            lambda key, held: (held or DownstreamServices()).with_services(
                {name: since[key][name] for name in present[key]}, since[key].keys() - present[key]
            ),
        )
        changed |= waiting
        present.update({key: await named(key, since[key]) for key in waiting})
    return {pairs[key] for key in changed}


async def _merge(
    model: TypedReadModel[T], keys: Iterable[str], merged: Callable[[str, T | None], T | None]
) -> set[str]:
    """Writes what ``merged`` makes of each held value, until all of it is held; gives the keys that it changed.

    ``merged`` gives None where nothing is to be changed, else the next version. Of two processes that write the same
    version one is kept; the other finds its change missing and makes it again.
    """
    written: set[str] = set()
    waiting = set(keys)
    while waiting:
        held = await model.get_many(waiting)
        changes = [(key, after) for key in waiting if (after := merged(key, held.get(key))) is not None]
        written |= (changed := {key for key, _ in changes})
        waiting = changed - await model.put(changes)
    return written

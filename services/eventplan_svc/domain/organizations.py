"""The tree of organizations as it is known, whatever order its events arrived in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from services.eventplan_svc.domain.inputs import Organization


class OrganizationTree:
    """The newest version of each organization, and which of them a service belongs to.

    The events of two organizations have no order between them. So for a moment a service may seem to be in two of
    them, a parent may be unknown, or two may seem to be below each other. Every answer follows from what is known
    alone: once all events have arrived, it is that of the tree. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, Organization] = {}
        self._below: defaultdict[str, set[str]] = defaultdict(set)
        self._holders: defaultdict[str, set[str]] = defaultdict(set)

    def version_of(self, organization_id: str) -> int:
        """0: it is unknown."""
        held = self._known.get(organization_id)
        return 0 if held is None else held.version

    def put(self, organization: Organization) -> set[str]:
        """Takes a version; gives the services whose organizations may be others now. An older version changes nothing.

        It costs no more than the services of the organization and of those below it.
        """
        own = organization.organization_id
        held = self._known.get(own)
        if held is not None and held.version >= organization.version:
            return set()
        if held is not None and _shape(held) == _shape(organization):
            self._known[own] = organization
            return set(organization.services)
        affected = self._services_below(own)
        if held is not None:
            self._index(held, add=False)
        self._known[own] = organization
        self._index(organization, add=True)
        return affected | self._services_below(own)

    def above(self, service_id: str) -> tuple[str, ...]:
        """The ids of the organization that has the service, and of all above it; empty where none has it."""
        holders = [self._known[one] for one in self._holders.get(service_id, ())]
        if not holders:
            return ()
        # Of two that seem to have it the later one took it over.
        at: Organization | None = max(holders, key=lambda one: (one.changed_at, one.organization_id))
        path: list[str] = []
        while at is not None and not at.deleted and at.organization_id not in path:
            path.append(at.organization_id)
            at = None if at.parent_id is None else self._known.get(at.parent_id)
        return tuple(path)

    def _index(self, organization: Organization, *, add: bool) -> None:
        if organization.deleted:
            return
        own = organization.organization_id
        places = [self._holders[service_id] for service_id in organization.services]
        if organization.parent_id is not None:
            places.append(self._below[organization.parent_id])
        for place in places:
            if add:
                place.add(own)
            else:
                place.discard(own)

    def _services_below(self, organization_id: str) -> set[str]:
        """The services of the organization and of all below it."""
        found: set[str] = set()
        seen, waiting = {organization_id}, [organization_id]
        while waiting:
            name = waiting.pop()
            if name in self._known:
                found.update(self._known[name].services)
            new = self._below.get(name, set()) - seen
            seen |= new
            waiting += new
        return found


def _shape(organization: Organization) -> tuple[object, Iterable[str], bool]:
    return organization.parent_id, organization.services, organization.deleted

"""The tree of organizations: what a write of one may not do to it, by all the others (4.501 to 4.503)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from shared.errors import Conflict, FieldError, NotFound
from shared.schemas.fleet_svc.organization import MAX_LEVELS, Organization

Organizations = Mapping[str, Organization]
"""The organizations beside the one that is written, by their ids."""

_NAMED: Final = 5  # of many that are in the way, so many are named: enough to find the rest


def check_tree(before: Organization | None, after: Organization | None, others: Organizations) -> None:
    """Refuses a write that would break the tree, or put a service into two organizations.

    ``before`` None: it is new; ``after`` None: it is deleted. Conflict and NotFound name the member and the remedy.
    """
    if after is not None:
        _check_place(after, others)
        _check_services(after, others)
    elif before is not None:
        _check_childless(before, others)


def _check_place(organization: Organization, others: Organizations) -> None:
    """NotFound for an unknown parent; Conflict for a cycle, and for a tree of too many levels."""
    own, parent_id = organization.organization_id, organization.parent_id
    if parent_id is None:
        above: list[str] = []
    elif parent_id != own and parent_id not in others:
        raise NotFound(
            f"there is no Organization {parent_id}; create it first",
            [FieldError("/ParentId", "give an organization that is there, or none")],
        )
    else:
        above = list(islice(_upwards(parent_id, own, others), MAX_LEVELS))
    if own in above:
        place = "itself" if parent_id == own else f"{parent_id}, which is below it"
        detail = f"{own} cannot be below {place}"
        raise Conflict(detail, [FieldError("/ParentId", "give one that is not below it")], slug="organization-cycle")
    levels = len(above) + 1 + _levels_below(own, others)
    if levels > MAX_LEVELS:
        raise Conflict(
            f"the tree would have {levels} levels below each other, and {MAX_LEVELS} is the limit",
            [FieldError("/ParentId", "give one that is higher up")],
            slug="organization-too-deep",
        )


def _upwards(start: str, own: str, others: Organizations) -> Iterator[str]:
    """The organizations from ``start`` to the top, or to ``own`` where the way leads there."""
    at: str | None = start
    while at is not None:
        yield at
        at = None if at == own else others[at].parent_id


def _levels_below(own: str, others: Organizations) -> int:
    children: defaultdict[str, list[str]] = defaultdict(list)
    for one in others.values():
        if one.parent_id is not None:
            children[one.parent_id].append(one.organization_id)
    levels, level = 0, children[own]
    while level and levels < MAX_LEVELS:
        levels, level = levels + 1, [child for name in level for child in children[name]]
    return levels


def _check_services(organization: Organization, others: Organizations) -> None:
    """Conflict for a service that another organization has (4.503)."""
    named = {service_id: place for place, service_id in enumerate(organization.services or ())}
    taken = [
        (named[service_id], service_id, other.organization_id)
        for other in others.values()
        for service_id in other.services or ()
        if service_id in named
    ]
    if taken:
        errors = [
            FieldError(f"/Services/{place}", f"{service_id} is in {owner}; take it out there first")
            for place, service_id, owner in sorted(taken)[:_NAMED]
        ]
        raise Conflict(f"a service is in one organization: {errors[0].detail}", errors, slug="service-taken")


def _check_childless(organization: Organization, others: Organizations) -> None:
    """Conflict while there are organizations below it. Its services may stay: they are then in no organization."""
    own = organization.organization_id
    children = sorted(one.organization_id for one in others.values() if one.parent_id == own)
    if children:
        more = len(children) - _NAMED
        named = ", ".join(children[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        detail = f"{own} has organizations below it: {named}; move or delete them first"
        raise Conflict(detail, slug="organization-has-children")

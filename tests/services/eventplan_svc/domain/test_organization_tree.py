"""Which organization is below which, in whatever order their versions come."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from services.eventplan_svc.domain.inputs import Organization
from services.eventplan_svc.domain.organizations import OrganizationTree


def versions_of_a_tree(chance: random.Random) -> list[Organization]:
    """What the owner published of a tree, whose services move and whose organizations move and go."""
    names, parents = ["a", "b", "c", "d"], dict[str, str | None]()
    services: dict[str, set[str]] = {name: set() for name in names}
    versions: Counter[str] = Counter()
    published: list[Organization] = []
    for instant in range(30):
        name = chance.choice(names)
        deleted = chance.random() < 0.2 and name not in parents.values()
        taken = set().union(*(services[other] for other in names if other != name))
        services[name] = set() if deleted else set(chance.sample(["S1", "S2", "S3"], chance.randrange(3))) - taken
        parent = chance.choice([None, *(other for other in parents if name not in path(other, parents))])
        if deleted:
            parents.pop(name, None)
        else:
            parents[name] = parent
        versions[name] += 1
        shown = tuple(sorted(services[name]))
        published.append(Organization(name, versions[name], parent, shown, deleted, f"{instant:03}"))
    return published


def path(name: str | None, parents: dict[str, str | None]) -> list[str]:
    found: list[str] = []
    while name is not None and name in parents:
        found.append(name)
        name = parents[name]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_whatever_order_organizations_come_in_a_service_is_below_the_same_ones(seed: int) -> None:
    chance = random.Random(seed)
    published = versions_of_a_tree(chance)
    newest = {one.organization_id: one for one in published}
    parents = {name: one.parent_id for name, one in newest.items() if not one.deleted}
    holders = {service: name for name, one in newest.items() if not one.deleted for service in one.services}
    expected = {service: path(holders.get(service), parents) for service in ("S1", "S2", "S3")}
    tree = OrganizationTree()
    known: dict[str, tuple[str, ...]] = {service: tree.above(service) for service in expected}
    for organization in chance.sample([*published, *published], 2 * len(published)):
        changed = tree.put(organization)
        for service in known:
            if service in changed:
                known[service] = tree.above(service)
            assert known[service] == tree.above(service), "a service that changed was not named"
    assert {service: list(above) for service, above in known.items()} == expected


def test_organizations_that_seem_to_be_below_each_other_are_no_endless_way() -> None:
    tree = OrganizationTree()
    tree.put(Organization("a", 2, "b", ("S1",), deleted=False))
    assert tree.put(Organization("b", 1, "a", (), deleted=False)) == {"S1"}
    assert tree.above("S1") == ("a", "b")

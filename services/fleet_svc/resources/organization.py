"""Organizations: the tree of the company, whose leaders are responsible for the services of all that is below."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.organizations import check_tree
from shared.resources import Resource
from shared.schemas.fleet_svc.organization import ORGANIZATION

ORGANIZATIONS: Final = Resource(
    contract=ORGANIZATION,
    path="/organization",
    filters=("ParentId", "Leader"),
    sort=("Name",),
    among=check_tree,
)

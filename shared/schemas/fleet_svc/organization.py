"""The contract of Organization: a part of the company, which has a place in a tree, a leader and services."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from shared.schemas.base import Id, Name, Snapshot, WireModel
from shared.schemas.resource_contract import ResourceContract

MAX_LEVELS: Final = 32
"""The most levels of the tree (4.501), the topmost included."""


def _each_once(services: list[str]) -> list[str]:
    seen: set[str] = set()
    for service_id in services:
        if service_id in seen:
            raise ValueError(f"names {service_id} twice; give each service once")
        seen.add(service_id)
    return services


class Organization(WireModel):
    """A part of the company: its place in the tree, its leader, and the services that are its own.

    The services of the organizations below it are not in its list. One without a parent is at the top; there may be
    several.
    """

    organization_id: Id
    name: Name
    parent_id: Id | None = None
    leader: Name | None = None
    services: Annotated[list[Id], AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})] | None = (
        None
    )


class OrganizationSnapshot(Organization, Snapshot):
    """``organization.{created,updated,deleted}``."""


ORGANIZATION: Final = ResourceContract(
    model=Organization,
    owner="fleet_svc",
    key=("OrganizationId",),
    given_snapshot=OrganizationSnapshot,
    consumers=("eventplan_svc",),
)

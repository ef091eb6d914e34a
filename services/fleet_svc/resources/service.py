"""Services: pieces of software with an owner."""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.fleet_svc.service import SERVICE

SERVICES: Final = Resource(
    contract=SERVICE, path="/service", filters=("ServiceType", "Owner", "LeaderAlias"), sort=("ServiceTier",)
)

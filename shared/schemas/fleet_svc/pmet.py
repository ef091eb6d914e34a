"""The contract of Pmet: where a metric of a fleet is looked at."""

from __future__ import annotations

from typing import Final

from shared.schemas.base import Flag, Id, Link, Name, WireModel
from shared.schemas.resource_contract import ResourceContract


class Pmet(WireModel):
    """Where a metric of a fleet is looked at, and whether somebody has verified that it is the right one."""

    pmet_id: Id
    fleet_id: Id
    metric_name: Name
    link: Link
    statistic: Name | None = None
    automated: Flag | None = None
    verified: Flag | None = None


PMET: Final = ResourceContract(model=Pmet, owner="fleet_svc", key=("PmetId",))

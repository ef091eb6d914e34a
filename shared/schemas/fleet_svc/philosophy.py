"""The contract of Philosophy: how the hosts of a service's fleets are worked out, in place of what the Service says."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import model_validator

from shared.schemas.base import Count, DecimalNumber, Id, Snapshot, WireModel
from shared.schemas.fleet_svc.service import CapacityStrategy, check_philosophy
from shared.schemas.numbers import WholeNumber
from shared.schemas.resource_contract import ResourceContract

ZoneFailures = Annotated[int, WholeNumber(0, 1)]


class Philosophy(WireModel):
    """A service's bounds per fleet, how its need is worked out, and whether it survives the loss of a zone."""

    service_id: Id
    capacity_strategy: CapacityStrategy
    min_hosts: Count | None = None
    max_hosts: Count | None = None
    headroom_percentage: DecimalNumber | None = None
    zone_failures: ZoneFailures | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        check_philosophy(self.capacity_strategy, min_hosts=self.min_hosts, max_hosts=self.max_hosts)
        return self


class PhilosophySnapshot(Philosophy, Snapshot):
    """``philosophy.{created,updated,deleted}``."""


PHILOSOPHY: Final = ResourceContract(
    model=Philosophy,
    owner="fleet_svc",
    key=("ServiceId",),
    given_snapshot=PhilosophySnapshot,
    consumers=("hotw_svc",),
)

"""Traffic: a day of a fleet, which must exist; a change merges the minutes that it gives into the day (4.535)."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.traffic import check_minutes, described, pack, unpack
from shared.cause import Cause
from shared.resources import Apart, Others, Resource
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.traffic import TRAFFIC, Traffic


def _given(_: Traffic | None, after: Traffic, others: Others, cause: Cause) -> Traffic:
    check_minutes(after, cause.now)
    return after


TRAFFIC_DAYS: Final = Resource(
    contract=TRAFFIC,
    path="/traffic",
    filters=("FleetId", "Date"),
    references=(FLEET,),
    on_write=_given,
    apart=Apart(member="Series", pack=pack, unpack=unpack, describe=described),
)

"""Projections: how much traffic a fleet will get during an event.

The fleet must exist. Whether the event exists is known to event_svc alone. Who verified a figure did not verify another
one in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.cause import Cause
from shared.resources import Others, Resource
from shared.schemas.fleet_svc.fleet import FLEET
from shared.schemas.fleet_svc.projection import PROJECTION, Projection, UpstreamProjection


def _unverified(before: Projection, after: Projection) -> Mapping[str, Any]:
    """Another PeakTPM is not verified by the owner (4.442)."""
    return {} if before.peak_tpm == after.peak_tpm else {"is_verified_by_owner": False}


def _judged(before: Projection | None, after: Projection, others: Others, cause: Cause) -> Projection:
    """Another UpstreamTPM is not verified by its upstream (4.443). A patch gives each entry of the list whole, so what
    it does not state is absent.
    """
    if before is None or after.upstream_projections is None:
        return after
    known = {one.upstream_service_id: one.upstream_tpm for one in before.upstream_projections or ()}

    def judged(one: UpstreamProjection) -> UpstreamProjection:
        changed = known.get(one.upstream_service_id, one.upstream_tpm) != one.upstream_tpm
        return one.model_copy(update={"is_verified": False}) if changed and one.is_verified is None else one

    return after.model_copy(update={"upstream_projections": [judged(one) for one in after.upstream_projections]})


PROJECTIONS: Final = Resource(
    contract=PROJECTION,
    path="/projection",
    filters=("EventId", "FleetId"),
    sort=("TotalInputTPM",),
    references=(FLEET,),
    on_write=_judged,
    implied=_unverified,
    also_history=("/projection/{FleetId}/{EventId}/history",),
)

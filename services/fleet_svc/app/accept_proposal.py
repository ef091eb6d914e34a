"""Use cases: show the proposal of a projection, and make it the projection's TotalInputTPM."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from services.fleet_svc.app.fleets import Fleets, line_key
from services.fleet_svc.app.refresh_bau import bau_tpm_of
from services.fleet_svc.domain.fleet_lines import Line
from services.fleet_svc.domain.proposals import accepted, check_accepted, proposed
from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, Written
from shared.errors import Refused
from shared.resources import Resources
from shared.schemas.fleet_svc.projection import PROJECTION, Projection
from shared.schemas.fleet_svc.proposal import AcceptProposal, Proposal
from shared.schemas.validation import validated

_JOINED: Final = "ProjectionId"


async def show_proposal(fleet_id: str, event_id: str, *, bau: Documents, fleets: Fleets) -> Proposal:
    """What the fleet's BAUTPM and its CTFactor for the Event come to. NotFound where one of the three is missing."""
    document = await fleets.latest(line_key(fleet_id, event_id))
    factor: Decimal | None = Line.model_validate(document.state).fleet_configuration.ct_factor
    line = "the fleet" if document.key == fleet_id else f"its line for {event_id}"
    return proposed(fleet_id, bau_tpm=await bau_tpm_of(fleet_id, bau), ct_factor=factor, line=line)


async def accept_proposal(
    command: AcceptProposal, cause: Cause, *, projections: Resources[Any], bau: Documents, fleets: Fleets
) -> Written:
    """Sets TotalInputTPM of the Peak projection, unverified; makes the projection where there is none.

    The reason of the change is the working, unless the request gives one. NotFound as ``show_proposal``, Conflict where
    the proposal is another one by now or would not count, Stale when the condition does not hold.
    """
    ids = {"FleetId": command.fleet_id, "EventId": command.event_id}
    key = PROJECTION.key_in({**PROJECTION.key_defaults, **ids})
    proposal: Proposal | Refused
    try:
        proposal = await show_proposal(command.fleet_id, command.event_id, bau=bau, fleets=fleets)
    except Refused as refusal:
        proposal = refusal  # raised within the write: the same request again gets its first outcome

    def written(present: Document | None) -> Change | None:
        projections.check_condition(cause.condition, present)
        if isinstance(proposal, Refused):
            raise proposal
        before = None if present is None else validated(Projection, PROJECTION.own(present.state))
        check_accepted(proposal, command.tpm, before)
        reason = cause.message or proposal.working
        if before is None:
            made = validated(Projection, {**ids, "TotalInputTPM": command.tpm, "IsVerifiedByOwner": False})
            return Change({**made.wire(), _JOINED: key}, (OutgoingEvent("projection.created"),), reason)
        after = accepted(before, command.tpm)
        if after == before:
            return None
        return Change({**after.wire(), _JOINED: key}, (OutgoingEvent("projection.updated"),), reason)

    return await projections.documents.update(key, written, cause)

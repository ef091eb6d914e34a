"""Exceptions: one person asks for another buffer, another one reviews it, and its last day ends it."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.exceptions import expired, requested, restored, reviewed
from shared.cause import Cause
from shared.resources import Action, Expiry, Others, Resource
from shared.schemas.fleet_svc.exception import EXCEPTION, BufferException, ExceptionStatus, ReviewException
from shared.schemas.fleet_svc.fleet import FLEET


def _requested(before: BufferException | None, after: BufferException, others: Others, cause: Cause) -> BufferException:
    return requested(before, after, others.found, cause)


EXCEPTIONS: Final = Resource(
    contract=EXCEPTION,
    path="/exception",
    filters=("EventId", "FleetId", "Status", "ExceptionType"),
    sort=("ExpiresOn",),
    references=(FLEET,),
    on_write=_requested,
    on_restore=restored,
    expiry=Expiry(where={"Status": ExceptionStatus.APPROVED.value}, apply=expired),
    actions=(
        Action(
            word="review",
            command=ReviewException,
            apply=reviewed,
            event="reviewed",
            summary="Approve or reject an Exception that is pending, or revoke its approval",
        ),
    ),
)

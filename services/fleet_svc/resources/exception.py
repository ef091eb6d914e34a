"""Exceptions: one person asks for another buffer, another one reviews it, and its last day ends it."""

from __future__ import annotations

from typing import Final

from services.fleet_svc.domain.exceptions import expired, requested, restored, reviewed
from shared.resources import Action, Resource
from shared.schemas.fleet_svc.exception import EXCEPTION, ReviewException
from shared.schemas.fleet_svc.fleet import FLEET

EXCEPTIONS: Final = Resource(
    contract=EXCEPTION,
    path="/exception",
    filters=("EventId", "FleetId", "Status", "ExceptionType"),
    sort=("ExpiresOn",),
    references=(FLEET,),
    complete=requested,
    on_restore=restored,
    expire=expired,
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

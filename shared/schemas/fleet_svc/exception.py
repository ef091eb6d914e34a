"""The contract of Exception: another buffer for one fleet and event, asked for by one person, reviewed by another."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from shared.schemas.base import (
    DecimalNumber,
    Id,
    Instant,
    JoinedKey,
    Name,
    ReasonedCommand,
    Snapshot,
    Text,
    WireDate,
    WireModel,
)
from shared.schemas.numbers import Between
from shared.schemas.resource_contract import ExtraEvent, ResourceContract

BUFFER_FACTOR: Final = "BufferFactor"
"""The type of an exception that HOTW counts (4.516)."""


class ExceptionStatus(StrEnum):
    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    REVOKED = "Revoked"
    EXPIRED = "Expired"


class ExceptionDecision(StrEnum):
    APPROVE = "Approve"
    REJECT = "Reject"
    REVOKE = "Revoke"


class BufferException(WireModel):
    """Asks that a fleet have another buffer factor for an event, from its approval to the end of ``ExpiresOn``.

    ``CurrentValue`` is the fleet's buffer factor at the request.
    """

    fleet_id: Id
    event_id: Id
    exception_type: Name = BUFFER_FACTOR
    requested_value: Annotated[DecimalNumber, Between(1, 5)]
    current_value: DecimalNumber | None = None
    business_reason: Text | None = None
    business_drivers: list[Name] | None = None
    status: ExceptionStatus = ExceptionStatus.PENDING
    requested_by: Name | None = None
    reviewed_by: Name | None = None
    review_timestamp: Instant | None = None
    expires_on: WireDate | None = None


class ReviewException(ReasonedCommand):
    """``PUT /exception/{FleetId}/{EventId}/review``: approves or rejects what is pending, or revokes an approval."""

    fleet_id: Id
    event_id: Id
    decision: ExceptionDecision


class ExceptionSnapshot(BufferException, Snapshot):
    """``exception.{created,updated,deleted,reviewed}``."""

    exception_id: JoinedKey


EXCEPTION: Final = ResourceContract(
    model=BufferException,
    given_name="Exception",
    owner="fleet_svc",
    key=("FleetId", "EventId"),
    key_prefix="EXCEPTION#",
    joined_key="ExceptionId",
    managed=("current_value", "status", "reviewed_by", "review_timestamp"),
    given_snapshot=ExceptionSnapshot,
    consumers=("hotw_svc",),
    extra_events=(ExtraEvent("reviewed", "An Exception was approved, rejected or revoked."),),
    actions=(ReviewException,),
)

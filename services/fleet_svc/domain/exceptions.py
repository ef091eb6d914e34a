"""The life of an exception: asked for, reviewed by somebody else, ended by the clock (4.511 to 4.515)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from shared.cause import Cause
from shared.clock import day_start
from shared.errors import BadInput, Conflict, FieldError
from shared.schemas.base import MAX_PLACES
from shared.schemas.fleet_svc.exception import BufferException, ExceptionDecision, ExceptionStatus, ReviewException
from shared.security import ANONYMOUS

_PENDING: Final = {"status": ExceptionStatus.PENDING, "reviewed_by": None, "review_timestamp": None}
_TRANSITIONS: Final = {
    ExceptionDecision.APPROVE: (ExceptionStatus.PENDING, ExceptionStatus.APPROVED),
    ExceptionDecision.REJECT: (ExceptionStatus.PENDING, ExceptionStatus.REJECTED),
    ExceptionDecision.REVOKE: (ExceptionStatus.APPROVED, ExceptionStatus.REVOKED),
}


def requested(
    before: BufferException | None, after: BufferException, buffer: Decimal | None, cause: Cause
) -> BufferException:
    """The exception as it is asked for, or as a request changes it; ``before`` is what it was, None for a new one.

    Another request is Pending, whatever was decided on the one before (4.512e), and is made by who changes it (4.513).
    Another ExceptionType is another request too: nobody has reviewed it. ``buffer`` is the fleet's buffer
    factor now, None where there is no such fleet.
    """
    named = None if cause.user == ANONYMOUS.name else cause.user
    if before is not None and _request(before) == _request(after):
        kept = before.requested_by if named else after.requested_by
        return after.model_copy(update={"requested_by": kept})
    current = after.current_value if buffer is None else buffer
    by = named or after.requested_by
    return after.model_copy(update={**_PENDING, "requested_by": by, "current_value": current})


def restored(exception: BufferException, cause: Cause) -> BufferException:
    """The exception with a former request: nobody has reviewed it since, and who restores it asks for it (3.20b)."""
    by = exception.requested_by if cause.user == ANONYMOUS.name else cause.user
    return exception.model_copy(update={**_PENDING, "requested_by": by})


def reviewed(exception: BufferException, command: ReviewException, cause: Cause) -> BufferException:
    """The exception after a review by ``cause.user``.

    BadInput for a reviewer without a name (4.515). Conflict when who asked reviews (4.514), and for a decision that
    does not follow from the status (4.512).
    """
    if cause.user == ANONYMOUS.name:
        raise BadInput("a review needs its reviewer's name", [FieldError("/X-Epic-User", "give who reviews")])
    if exception.requested_by is not None and exception.requested_by.casefold() == cause.user.casefold():
        raise Conflict(f"{cause.user} asked for this exception; somebody else must review it", slug="self-review")
    needed, status = _TRANSITIONS[command.decision]
    if exception.status is not needed:
        detail = f"the exception is {exception.status}; only one that is {needed} can be {status.lower()}"
        raise Conflict(detail, slug="not-reviewable")
    decided = {"status": status, "reviewed_by": cause.user, "review_timestamp": cause.now}
    return exception.model_copy(update=decided)


def expired(exception: BufferException, now: datetime) -> BufferException | None:
    """The exception as the end of its last day leaves it (4.512d, 2.17b); None while it stays as it is."""
    if exception.status is not ExceptionStatus.APPROVED or exception.expires_on is None:
        return None
    if now < day_start(exception.expires_on) + timedelta(days=1):
        return None
    return exception.model_copy(update={"status": ExceptionStatus.EXPIRED})


def buffer_of(percentage: Decimal) -> Decimal:
    """The buffer factor of a fleet, 1 + BufferPercentage/100, to the places that a member can have."""
    exact = 1 + percentage / 100
    return exact.quantize(Decimal(1).scaleb(-MAX_PLACES), ROUND_HALF_UP)


def _request(exception: BufferException) -> tuple[object, ...]:
    """What somebody asks for, and a reviewer judges."""
    return (
        exception.exception_type,
        exception.requested_value,
        exception.business_reason,
        exception.expires_on,
    )

"""The contract of Notification: one mail and its delivery log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from shared.schemas.base import Count, Id, Instant, JoinedKey, Name, Snapshot, Text, WireModel
from shared.schemas.resource_contract import ExtraEvent, ResourceContract


class NotificationStatus(StrEnum):
    PENDING = "Pending"
    SENT = "Sent"
    FAILED = "Failed"


class Notification(WireModel):
    """One mail, once per cause; its versions are its delivery log.

    ``Recipients`` are worked out at each attempt, from the service's owner and leader as they are then. A mail of kind
    TPM goes to the service downstream of ``UpstreamServiceId`` and holds the latter's ``PeakTPMs`` for the event.
    """

    notification_id: JoinedKey
    kind: Name
    cause: Name
    status: NotificationStatus
    subject: Text
    recipients: list[Name] | None = None
    event_id: Id | None = None
    service_id: Id | None = None
    upstream_service_id: Id | None = None
    peak_tpms: Annotated[list[Count] | None, Field(alias="PeakTPMs")] = None
    run_id: Count | None = None
    ticket_id: Id | None = None
    attempts: Count = 0
    reason: Text | None = None
    sent_at: Instant | None = None


class NotificationSnapshot(Notification, Snapshot):
    """``notification.{sent,failed}``."""


NOTIFICATION: Final = ResourceContract(
    model=Notification,
    owner="notify_svc",
    key=("NotificationId",),
    given_snapshot=NotificationSnapshot,
    given_commands=(),
    events=(),
    extra_events=(
        ExtraEvent("sent", "A mail was handed over.", ("eventplan_svc",)),
        ExtraEvent("failed", "A mail could not be sent, and will not be tried again.", ("eventplan_svc",)),
    ),
)

"""Notifications: read only; every attempt to send one is a version."""

from __future__ import annotations

from typing import Final

from shared.resources import Resource
from shared.schemas.notify_svc.notification import NOTIFICATION

NOTIFICATIONS: Final = Resource(
    contract=NOTIFICATION, path="/notification", filters=("Kind", "EventId", "ServiceId", "Status"), read_only=True
)

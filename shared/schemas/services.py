"""The names of the five services."""

from __future__ import annotations

from typing import Final

SERVICES: Final = ("fleet_svc", "event_svc", "eventplan_svc", "hotw_svc", "notify_svc")

"""Instants and days in wire form, in which both sort as strings."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from shared.clock import iso, parse_instant

_NORMAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def normal_time(text: str) -> str:
    """An ISO 8601 instant in UTC with milliseconds and `Z`; ValueError where it has no zone."""
    return text if _NORMAL.fullmatch(text) else iso(parse_instant(text))


def utc_day(now: datetime) -> str:
    """The UTC day `now` falls in, YYYY-MM-DD."""
    return now.astimezone(UTC).date().isoformat()


def is_day(text: object) -> bool:
    """Whether `text` is an existing day written YYYY-MM-DD."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def days_from(day: str, days: int) -> str:
    """The day `days` after `day` (before it, where negative)."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()

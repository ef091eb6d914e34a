"""When a schedule falls due: a cron expression of five fields, by the clock on the wall of a time zone.

A slot is an instant of UTC. A time that daylight saving skips falls due at the end of the gap (7.0.12), and one that
comes twice the first time only (7.0.13). So slots that fall into one gap are one slot.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter
from croniter.croniter import CroniterBadCronError, CroniterBadDateError, CroniterNotAlphaError

MISSED_FOR: Final = timedelta(hours=24)
"""Of the slots that were missed, the newest within this time still falls due (7.0.11)."""
EXAMPLE: Final = "give five fields: minute, hour, day of month, month and day of week, such as 0 9 * * 1-5"

_FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS: Final = "sun|mon|tue|wed|thu|fri|sat"
# croniter also knows fields that are drawn by lot, which would differ from one process to the next.
_FIELD: Final = re.compile(rf"(?:[0-9*,/#?-]|{_MONTHS}|{_DAYS}|l)+", re.IGNORECASE)
_YEARS: Final = 50  # 29 February is a fifth Thursday once in 28 years, and once in 40 over a year such as 2100
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


def fault_of(schedule: str) -> str | None:
    """What is wrong with an expression, naming its field; None when it is a usable one."""
    fields = schedule.split(" ")
    if len(fields) != len(_FIELDS) or not all(fields):
        return "that is no cron expression of five fields with one space between them"
    for place, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[place] = field
        if not _FIELD.fullmatch(field) or not _is_taken(" ".join(alone)):
            return f"{field!r} is no {name}"
    if not _is_taken(schedule):
        return "its fields do not go together"
    try:
        croniter(schedule, datetime(2024, 1, 1), max_years_between_matches=_YEARS).get_next()  # noqa: DTZ001
    except CroniterBadDateError:
        return "there is no such day in any year"
    return None


@cache
def zones() -> frozenset[str]:
    """IANA's names. The machine's own zone, which some systems list as well, is another one on the next machine."""
    return frozenset(available_timezones() - {"localtime"})


def next_slot(schedule: str, time_zone: str | None, after: datetime) -> datetime:
    """The first slot after an instant. ``fault_of`` finds none in the schedule, and ``zones`` has the time zone."""
    zone = _zone(time_zone)
    slots = croniter(schedule, _wall(after, zone), ret_type=datetime, max_years_between_matches=_YEARS)
    while True:  # on from times that come a second time; all of them are within one shift of the clock
        slot = _instant(slots.get_next(), zone)
        if slot > after:
            return slot


def newest_slot(schedule: str, time_zone: str | None, *, after: datetime, until: datetime) -> datetime | None:
    """The newest slot after ``after`` that has come ``until`` now and is not missed for too long; None without one."""
    zone = _zone(time_zone)
    local = until.astimezone(zone)
    # In an hour that comes a second time, later times on the wall have come already, the first time.
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    ahead = first - second if local.fold and first is not None and second is not None else timedelta()
    behind = _wall(until, zone) + ahead + _MINUTE
    slots = croniter(schedule, behind, ret_type=datetime, is_prev=True, max_years_between_matches=_YEARS)
    earliest = max(after, until - MISSED_FOR)
    while True:
        try:
            slot = _instant(slots.get_prev(), zone)
        except CroniterBadDateError:
            return None
        if slot <= until:
            return slot if slot > earliest else None


def _is_taken(expression: str) -> bool:
    try:
        croniter(expression)
    except (CroniterBadCronError, CroniterNotAlphaError):
        return False
    return True


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows, to the minute."""
    return instant.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock on the wall shows this for the first time; the end of the gap when it never does."""
    before = wall.replace(tzinfo=zone).utcoffset() or timedelta()
    instant = (wall - before).replace(tzinfo=UTC)
    after = instant.astimezone(zone).utcoffset() or timedelta()
    if after == before:
        return instant
    # The offset changed between these two; ``wall`` is in the gap that the change left.
    low, high = instant - (after - before), instant
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        is_before = middle.astimezone(zone).utcoffset() == before
        low, high = (middle, high) if is_before else (low, middle)
    return high


@lru_cache(64)
def _zone(time_zone: str | None) -> ZoneInfo:
    return ZoneInfo(time_zone or "UTC")

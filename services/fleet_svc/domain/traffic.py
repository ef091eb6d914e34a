"""The traffic of a fleet's day: which minutes can be given, and how they are kept (4.530 to 4.535)."""

from __future__ import annotations

import hashlib
import struct
import zlib
from base64 import b85decode, b85encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from shared.errors import BadInput, FieldError
from shared.schemas.fleet_svc.traffic import MINUTES, Traffic

MINUTES_OF_A_DAY: Final = len(MINUTES)
DAYS_KEPT: Final = 35
"""Today and the days before it (4.533)."""
HIGHEST_KEPT: Final = 288
"""How many of a day's highest minutes its version holds: a fifth. The 95th percentile of a month lies below them only
where a day has more than four times its share of the highest minutes; such a day is then read in full."""

_ABSENT: Final = 0xFFFFFFFF  # more than any count
_SERIES: Final = struct.Struct(f"<{MINUTES_OF_A_DAY}I")
_WIDTH: Final = 4  # bytes of a number
_LEVEL: Final = 6  # of zlib: a day costs 0.2 ms, and levels above save less than 1 %


def check_minutes(traffic: Traffic, now: datetime) -> None:
    """BadInput for a day that is not kept (any more), and for a minute that has not begun."""
    today = now.date()
    if traffic.date > today:
        raise _bad_day(f"is after today, {today}; give a day that has begun")
    if traffic.date < first_kept(today):
        raise _bad_day(f"is not kept any more; give a day from {first_kept(today)} on")
    if traffic.date == today:
        last = f"{now:%H:%M}"
        ahead = sorted(minute for minute in traffic.series if minute > last)
        if ahead:
            errors = [FieldError(f"/Series/{minute}", f"has not begun: it is {last} now") for minute in ahead[:100]]
            raise BadInput("traffic of the future; see errors", errors)


def first_kept(today: date) -> date:
    """The oldest day that is kept."""
    return today - timedelta(days=DAYS_KEPT - 1)


def pack(series: Mapping[str, int]) -> bytes:
    """A day's minutes in some 2,200 bytes; less than 6,000 whatever they are."""
    flat = _flat(series)
    # First the first bytes of all numbers, then the second ones, and so on: alike ones together take a third less.
    return zlib.compress(b"".join(flat[place::_WIDTH] for place in range(_WIDTH)), _LEVEL)


def unpack(packed: bytes) -> dict[str, int]:
    """What was packed, in the order of the minutes."""
    planes, flat = zlib.decompress(packed), bytearray(_SERIES.size)
    for place in range(_WIDTH):
        flat[place::_WIDTH] = planes[place * MINUTES_OF_A_DAY : (place + 1) * MINUTES_OF_A_DAY]
    values = enumerate(_SERIES.unpack(flat))
    return {MINUTES[place]: value for place, value in values if value != _ABSENT}


def described(series: Mapping[str, int]) -> dict[str, Any]:
    """What a version holds in place of the minutes: their number and hash (4.532), and the highest of them."""
    return {
        "Minutes": len(series),
        "SeriesHash": hashlib.blake2b(_flat(series), digest_size=16).hexdigest(),
        "_Highest": _encoded(sorted(series.values())[-HIGHEST_KEPT:]),
    }


def highest_in(state: Mapping[str, Any]) -> list[int]:
    """The highest minutes of a version, in ascending order."""
    return _decoded(state["_Highest"])


def _flat(series: Mapping[str, int]) -> bytes:
    values = [_ABSENT] * MINUTES_OF_A_DAY
    for minute, value in series.items():
        values[_PLACES[minute]] = value
    return _SERIES.pack(*values)


def _encoded(ascending: Sequence[int]) -> str:
    """The differences from one to the next: they are small, so that zlib makes a byte or less of each."""
    steps = (after - before for before, after in zip((0, *ascending), ascending, strict=False))
    return b85encode(zlib.compress(struct.pack(f"<{len(ascending)}I", *steps), _LEVEL)).decode()


def _decoded(text: str) -> list[int]:
    data = zlib.decompress(b85decode(text))
    return list(accumulate(struct.unpack(f"<{len(data) // 4}I", data)))


def _bad_day(detail: str) -> BadInput:
    return BadInput("traffic is kept for some days only", [FieldError("/Date", detail)])


_PLACES: Final = {minute: place for place, minute in enumerate(MINUTES)}

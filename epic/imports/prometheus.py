"""Traffic by what Prometheus answers to ``query_range``: a series for each fleet, a point for each minute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from epic.imports.templates import LabelMapping, Unmapped
from shared.schemas.base import MAX_COUNT
from shared.schemas.validation import field_errors

MINUTE: Final = 60
MAX_POINTS: Final = 11_000
"""The most points of a series that Prometheus answers. A query asks for a day at most, which has 1,440."""

MAX_SERIES: Final = 25_000
"""The most series of one answer: those of more fleets than EPIC is made for are a query that lacks its ``sum by``."""

POINTS_AT_ONCE: Final = 2_000_000
"""So many points of one answer are in memory, some 300 MB: of 1,000 series a day, of 20,000 an hour and a half."""

_LAST_SECOND: Final = 253_402_300_800  # the end of the year 9999
_CUT_SHORT: Final = "truncated"
"""What Prometheus warns of where an answer has not all that was asked for."""

MAX_ANSWER_BYTES: Final = 134_217_728
"""The most bytes of one answer, or of a saved one: twice what so many points have."""


class _Series(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    result_type: str = Field(alias="resultType")
    result: list[_Series]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    status: str
    data: _Data | None = None
    error: str | None = None
    warnings: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """A series that was not imported, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Traffic:
    """The minutes of each fleet's days; the series left out, and how many points were no number.

    ``skipped``: how many series the mapping's ``Only`` left out.
    """

    days: dict[tuple[str, date], dict[str, int]] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    not_numbers: int = 0
    skipped: int = 0

    def rows(self, source: str) -> Iterator[dict[str, Any]]:
        """A row of Traffic for each fleet and day."""
        for (fleet_id, day), minutes in sorted(self.days.items()):
            yield {
                "FleetId": fleet_id,
                "Date": day.isoformat(),
                "Series": dict(sorted(minutes.items())),
                "Source": source,
            }


def read_answer(text: bytes, name: str, *, max_series: int = MAX_SERIES) -> list[_Series]:
    """The series of one answer. ValueError, with its name, for what is none, or has too many series or points."""
    try:
        answer = _Answer.model_validate(orjson.loads(text))
    except ValidationError as error:
        first = field_errors(error)[0]
        raise ValueError(f"{name} is no answer of query_range: {first.pointer}: {first.detail}") from None
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{name} is not JSON: {error}; give the answer of /api/v1/query_range") from None
    if answer.status != "success" or answer.data is None:
        raise ValueError(f"{name}: Prometheus refused the query: {answer.error or answer.status}")
    for warning in answer.warnings or ():
        if _CUT_SHORT in warning.lower():
            raise ValueError(f"{name} is cut short ({warning}); ask for less at once, or raise the server's limit")
    if answer.data.result_type != "matrix":
        raise ValueError(f"{name} has a {answer.data.result_type}; ask by query_range, which answers with a matrix")
    if len(answer.data.result) > max_series:
        remedy = "add `sum by (…)` to the query, or raise --max-series"
        raise ValueError(f"{name} has {len(answer.data.result)} series, and {max_series} are the most; {remedy}")
    for series in answer.data.result:
        if len(series.values) > MAX_POINTS:
            raise ValueError(f"{name}: {label_of(series.metric)} has {len(series.values)} points; at most {MAX_POINTS}")
    return answer.data.result


def label_of(metric: Mapping[str, str]) -> str:
    """A series as Prometheus names it."""
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(metric.items()) if name != "__name__")
    return f"{metric.get('__name__', '')}{{{labels}}}"


def add_series(traffic: Traffic, found: Iterable[_Series], mapping: LabelMapping, *, per_minute: Decimal) -> None:
    """Adds the minutes of the series. ``per_minute`` is what a value is multiplied by: 60 where it is per second.

    A series is left out as a whole when no fleet has it, a value is negative, or a minute has a value already. Values
    that are no number (NaN, infinite) are counted and left out: Prometheus has them where nothing was measured.
    """
    for series in found:
        if not mapping.takes(series.metric):
            traffic.skipped += 1
            continue
        try:
            fleet_id = mapping.fleet_of(series.metric)
            minutes, not_numbers = _minutes_of(series, per_minute)
            for day, minute in minutes:
                if minute in traffic.days.get((fleet_id, day), {}):
                    raise Unmapped(f"fleet {fleet_id} has a value at {day} {minute} already; let the query `sum by` it")
        except Unmapped as error:
            traffic.left.append(Left(label_of(series.metric), str(error)))
            continue
        traffic.not_numbers += not_numbers
        for (day, minute), tpm in minutes.items():
            traffic.days.setdefault((fleet_id, day), {})[minute] = tpm


def _minutes_of(series: _Series, per_minute: Decimal) -> tuple[dict[tuple[date, str], int], int]:
    minutes: dict[tuple[date, str], int] = {}
    not_numbers = 0
    for at, text in series.values:
        if not 0 <= at < _LAST_SECOND:
            raise Unmapped(f"it has a value at {at:g}, which is no time; give seconds since 1970, as query_range does")
        moment = datetime.fromtimestamp(math.floor(at / MINUTE) * MINUTE, UTC)
        try:
            value = float(text)
        except ValueError:
            raise Unmapped(f"it has the value {text[:40]!r}, which is no number") from None
        if not math.isfinite(value):
            not_numbers += 1
            continue
        place, tpm = (moment.date(), f"{moment:%H:%M}"), _tpm(text, per_minute)
        if place in minutes:
            raise Unmapped(f"it has two values at {place[0]} {place[1]}; ask with a step of {MINUTE} s or more")
        minutes[place] = tpm
    return minutes, not_numbers


def _tpm(text: str, per_minute: Decimal) -> int:
    """A whole number of requests a minute, rounded half up."""
    tpm = Decimal(text) * per_minute
    if not 0 <= tpm <= MAX_COUNT:
        raise Unmapped(f"it has the value {text}; traffic is from 0 to {MAX_COUNT} requests a minute")
    return int(tpm.quantize(Decimal(1), ROUND_HALF_UP))


def parts_of(begin: datetime, end: datetime, *, max_series: int) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a period that are asked for one by one; both ends belong to a part.

    Each lies in one UTC day and is so short that so many series have no more than POINTS_AT_ONCE points in it.
    """
    minute = timedelta(seconds=MINUTE)
    longest = max(POINTS_AT_ONCE // max_series, 1) * minute
    while begin <= end:
        midnight = datetime(begin.year, begin.month, begin.day, tzinfo=UTC) + timedelta(days=1)
        after = min(midnight, begin + longest)
        yield begin, min(end, after - minute)
        begin = after


def difference(row: Mapping[str, Any], present: Mapping[str, Any] | None) -> str | None:
    """What a row does to a fleet's day, in a line; None where nothing changes. ``present`` is the day as it is read."""
    minutes: Mapping[str, int] = row["Series"]
    what = f"{row['FleetId']} {row['Date']}: "
    figures = f"{len(minutes)} minutes of {min(minutes.values())} to {max(minutes.values())} TPM"
    if present is None:
        return f"+ {what}new, {figures}"
    known: Mapping[str, int] = present["Series"]
    new = sum(minute not in known for minute in minutes)
    changed = sum(minute in known and known[minute] != tpm for minute, tpm in minutes.items())
    return f"~ {what}{new} minutes new, {changed} changed" if new or changed else None

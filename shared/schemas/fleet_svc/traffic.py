"""The contract of Traffic: how many transactions a fleet got in each minute of a day, and the BAUTPM that follows."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator, model_validator

from shared.schemas.base import MAX_COUNT, Count, Id, Name, Snapshot, WireDate, WireModel, broken_rule
from shared.schemas.resource_contract import ResourceContract

BAU_CHANGED: Final = "traffic.bau.changed"

MINUTES: Final = tuple(f"{place // 60:02d}:{place % 60:02d}" for place in range(24 * 60))
"""The minutes of a day, in their order."""
_MINUTES: Final = frozenset(MINUTES)
_MINUTE_PATTERN: Final = "^([01][0-9]|2[0-3]):[0-5][0-9]$"

Minute = Annotated[str, WithJsonSchema({"type": "string", "pattern": _MINUTE_PATTERN})]
"""A minute of a day in UTC, ``00:00`` to ``23:59``."""


def _quickly(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A day is validated several times in a write; this is twenty times faster where nothing is wrong."""
    is_right = (
        type(value) is dict
        and value.keys() <= _MINUTES
        and all(type(tpm) is int and 0 <= tpm <= MAX_COUNT for tpm in value.values())
    )
    return value if is_right else check(value)


Series = Annotated[dict[Minute, Count], WrapValidator(_quickly)]
SeriesHash = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class Traffic(WireModel):
    """The transactions of a fleet in each minute of one UTC day, as far as they are known.

    ``Series`` is in requests and in reads of one day. ``Minutes``, their number, and ``SeriesHash`` stand for it in
    lists and events.
    """

    fleet_id: Id
    date: WireDate
    series: Series
    source: Name
    minutes: Count | None = None
    series_hash: SeriesHash | None = None

    @model_validator(mode="after")
    def _only_minutes(self) -> Self:
        for minute in self.series.keys() - _MINUTES:
            raise broken_rule(("Series", minute), "give a minute of the day in UTC, from 00:00 to 23:59")
        return self


class TrafficSnapshot(Snapshot):
    """``traffic.{created,updated,deleted}``: a day without its series."""

    fleet_id: Id
    date: WireDate
    source: Name
    minutes: Count
    series_hash: SeriesHash


class TrafficRead(TrafficSnapshot):
    """A day as it is read. ``Series`` is there unless it is one day of many, or a version of a day that is not kept."""

    series: dict[Minute, Count] | None = None


class BAUChanged(Snapshot):
    """``traffic.bau.changed``: the traffic that a fleet has outside events is another one.

    ``BAUTPM`` is the 95th percentile of the ``Minutes`` that count; it is absent where those are too few.
    """

    fleet_id: Id
    bau_tpm: Count | None = None
    minutes: Count


TRAFFIC: Final = ResourceContract(
    model=Traffic,
    owner="fleet_svc",
    key=("FleetId", "Date"),
    managed=("minutes", "series_hash"),
    given_snapshot=TrafficSnapshot,
    given_read=TrafficRead,
)

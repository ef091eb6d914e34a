"""The rows of the trends, and the use case that shows them (4.154): plans by colour at the end of each day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.show_dashboard import known_event
from services.eventplan_svc.domain.trend import MAX_DAYS, days_of, last_ended
from shared.clock import Clock
from shared.documents import ReadModel
from shared.errors import BadInput, FieldError
from shared.schemas.eventplan_svc import PeakReadyStatus

_ONCE: Final = 1  # a row has one version: it comes out the same whoever makes it, however often
_DEFAULT_DAYS: Final = 90  # shown unless From says otherwise: the time in which an event is planned


class TrendRows:
    """The days of all events that are made, each under its own key."""

    def __init__(self, rows: ReadModel) -> None:
        self._rows = rows

    async def put(self, event_id: str, day: date, colours: Mapping[PeakReadyStatus, int]) -> None:
        counts = {colour.value: colours.get(colour, 0) for colour in PeakReadyStatus}
        await self._rows.put([(_key(event_id, day), _ONCE, {"ByColour": counts})])

    async def get_many(self, event_id: str, days: Iterable[date]) -> dict[date, dict[str, int]]:
        """The plans by colour of those days that are made, in one read."""
        keys = {_key(event_id, day): day for day in days}
        found = await self._rows.get_many(list(keys)) if keys else {}
        return {day: found[key]["ByColour"] for key, day in keys.items() if key in found}


def _key(event_id: str, day: date) -> str:
    return f"{event_id}@{day}"


async def show_trend(
    event_id: str, first: date | None, last: date | None, *, rows: TrendRows, read_models: ReadModels, clock: Clock
) -> list[dict[str, Any]]:
    """The days from the first to the last (those up to now, unless given) that the event has, oldest first.

    A day is there some minutes after it is over. NotFound: the event is unknown or deleted. BadInput: ``From`` is after
    ``To``, or they are too far apart.
    """
    await known_event(event_id, read_models)
    last = last or last_ended(clock.now())
    first = first or date.fromordinal(max(last.toordinal() - _DEFAULT_DAYS + 1, 1))
    days = (last - first).days + 1
    if days < 1:
        raise BadInput("the trend ends before it begins", [FieldError("/From", f"give {last} or an earlier day")])
    if days > MAX_DAYS:
        raise BadInput(f"{days} days are too many", [FieldError("/From", f"ask for at most {MAX_DAYS} days at once")])
    found = await rows.get_many(event_id, days_of(first, last))
    return [{"Date": day.isoformat(), "ByColour": found[day]} for day in sorted(found)]

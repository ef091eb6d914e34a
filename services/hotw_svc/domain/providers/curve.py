"""The combined curve of a group: its capacity over time by the overrides of all events (7.8.37, 7.8.38, 7.9.13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.hotw_svc.domain.orders.override import Override


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a group's capacity, the ``number``-th that its event causes on the group.

    ``value`` is the capacity from then on; None where no override runs any more, so that the group goes back to
    ``expiry_value``.
    """

    at: datetime
    event_id: str
    number: int
    value: int | None
    expiry_value: int


def combined_curve(overrides: Iterable[Override]) -> tuple[Step, ...]:
    """The steps of one group in their order, the past ones too; each instant has at most one.

    ``overrides`` are the group's for every event; those that raise nothing are left out. Of several that run at a time
    the highest counts. A step is caused by the override that begins there, where one does that has the new capacity,
    else by the one that ended. The last step is always one that goes back.
    """
    running = [override for override in overrides if override.in_force and override.start < override.end]
    steps: list[Step] = []
    numbers: dict[str, int] = {}
    before: Override | None = None
    for moment in sorted({instant for override in running for instant in (override.start, override.end)}):
        highest = max((o for o in running if o.start <= moment < o.end), key=_rank, default=None)
        if _value(highest) == _value(before):
            before = highest
            continue
        cause = highest
        if cause is None or cause.start != moment:
            cause = max((o for o in running if o.end == moment), key=_rank)
        numbers[cause.event_id] = numbers.get(cause.event_id, 0) + 1
        steps.append(Step(moment, cause.event_id, numbers[cause.event_id], _value(highest), cause.expiry_value))
        before = highest
    return tuple(steps)


def _rank(override: Override) -> tuple[int, datetime, str]:
    """By value; of equal ones the one that begins last, then by event."""
    return override.value, override.start, override.event_id


def _value(override: Override | None) -> int | None:
    return None if override is None else override.value

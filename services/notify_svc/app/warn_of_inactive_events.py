"""Use case: an event stopped running; owner and leader of each service are told of the approved orders left open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.notify_svc.domain import delivery
from services.notify_svc.domain.inactive_event import (
    GATHERING,
    Line,
    line_of,
    missing_in,
    notification_id,
    opened,
    with_lines,
)
from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents, ReadModel
from shared.schemas.hotw_svc import HardwareFact

__all__ = ["WarnOfInactiveEvents"]

_AT_ONCE: Final = 32


class WarnOfInactiveEvents:
    """One mail per service and event, which waits a while for the service's other fleets.

    A line goes into the first mail that nobody has tried to send; one that a mail holds already adds nothing, so
    neither a redelivered fact nor another replica at the same time says it twice.
    """

    def __init__(
        self, *, notifications: Documents, events: ReadModel, real_now: Callable[[], datetime],
        gathering: timedelta = GATHERING,
    ) -> None:  # fmt: skip
        self._notifications, self._events = notifications, events
        self._real_now, self._gathering = real_now, gathering
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def reviewed(self, facts: Sequence[tuple[HardwareFact, Cause]]) -> None:
        """Takes in ``hotw.order.reviewed`` facts, each with its cause; only those that tell of open orders count."""
        lines: dict[tuple[str, str], list[Line]] = {}
        causes: dict[tuple[str, str], Cause] = {}
        for fact, cause in facts:
            line = line_of(fact)
            if line is not None:
                lines.setdefault((fact.event_id, fact.service_id), []).append(line)
                causes.setdefault((fact.event_id, fact.service_id), cause)
        if not lines:
            return
        events = await self._events.get_many(sorted({event_id for event_id, _ in lines}))
        told = []
        for (event_id, service_id), more in lines.items():
            event = events.get(event_id) or {"EventId": event_id}  # a deleted event has left its name with nobody
            told.append(self._tell(event, service_id, more, causes[event_id, service_id]))
        await asyncio.gather(*told)

    async def _tell(self, event: Mapping[str, Any], service_id: str, lines: list[Line], cause: Cause) -> None:
        """Puts each line into the first mail that takes it, and opens the next where none does."""
        number = 0
        async with self._turns:
            while lines:
                number += 1
                lines = await self._put(event, service_id, number, lines, cause)

    async def _put(
        self, event: Mapping[str, Any], service_id: str, number: int, lines: list[Line], cause: Cause
    ) -> list[Line]:
        """Offers the lines to one mail; those that it neither held nor took."""
        until = self._real_now() + self._gathering

        def told(present: Document | None) -> Change | None:
            if present is None:
                made = opened(event=event, service_id=service_id, number=number, lines=lines, until=until)
                return Change(delivery.traced(made, cause.trace), ())
            grown = with_lines(present.state, lines)
            return None if grown is None else Change(grown, ())

        # One message may be told of in several mails, so its id cannot stand for the answer of one.
        key = notification_id(event["EventId"], service_id, number)
        written = await self._notifications.update(key, told, replace(cause, id=None))
        return missing_in(written.document.state, lines)

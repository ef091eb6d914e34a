"""Owns the stored plans: how they are read, made in bulk and written, and that the board hears of every write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.domain.milestones import Plan
from services.eventplan_svc.domain.plan import Revision
from services.eventplan_svc.domain.readiness import became_ready
from shared.cause import AUTOMATION, Cause
from shared.documents.contract import Change, Document, Documents, Emission, UpdateFn, Written
from shared.errors import Stale
from shared.trace import Trace

__all__ = ["FILTERS", "HeldPlan", "Plans", "automatic", "changed", "created"]

FILTERS: Final[tuple[str, ...]] = ("EventId", "ServiceId", "FleetId")
_PAGE: Final = 500
_CREATED: Final = "eventplan.created"
_UPDATED: Final = Emission("eventplan.updated")
_READY: Final = Emission("eventplan.ready")


def automatic(now: datetime, trace: Trace, message: str | None = None) -> Cause:
    """The cause of what automation writes. It has no id: what is written follows from what is known, however often."""
    return Cause(now=now, user=AUTOMATION, trace=trace, message=message)


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan as it is stored, its memory included, and its version."""

    key: str
    version: int
    plan: Plan


class Plans:
    """The documents of EventPlan. Every write's snapshot goes out as an event by the store."""

    def __init__(self, documents: Documents, board: Board) -> None:
        self.documents = documents
        self._board = board

    async def held(self, keys: Sequence[str]) -> list[HeldPlan]:
        """Those of the plans that are there."""
        return [_held(document) for document in (await self.documents.latest_many(keys)).values()]

    async def pages(self, where: Mapping[str, Any] | None = None) -> AsyncIterator[list[HeldPlan]]:
        """All plans that match, a page at a time."""
        async for page in self.documents.scan(where, page=_PAGE):
            yield [_held(document) for document in page]

    async def make(self, plans: Sequence[Plan], cause: Cause) -> list[HeldPlan]:
        """Makes those that are not there yet; answers what it made. A plan is made once, whoever else is at it."""
        ready = [plan for plan in plans if became_ready(None, plan)]
        rest = {plan["EventPlanId"]: plan for plan in plans if not became_ready(None, plan)}
        made = [HeldPlan(key, 1, rest[key]) for key in await self.documents.create_many(rest.items(), _CREATED, cause)]
        for one in made:
            self._board.put(one.key, one.version, one.plan)
        for plan in ready:
            made += await self._made_ready(plan, cause)
        return made

    async def write(self, key: str, decide: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        """Changes one plan; retried on the newest version where no version is expected."""
        written = await self.documents.update(key, decide, cause, expected=expected)
        if written.changed:
            self._board.put(key, written.document.version, written.document.state)
        return written

    async def revise(self, held: HeldPlan, revision: Revision, cause: Cause) -> bool:
        """Writes what automation came to, unless the plan has changed since it was read: False then."""

        def decide(_: Document | None) -> Change:
            return changed(held.plan, revision.plan, message=revision.message, user=revision.user)

        try:
            await self.write(held.key, decide, cause, expected=held.version)
        except Stale:
            return False
        return True

    async def _made_ready(self, plan: Plan, cause: Cause) -> list[HeldPlan]:
        """A plan that facts make Green from the first: made by itself, since two events tell of it."""

        def decide(present: Document | None) -> Change | None:
            return None if present is not None else created(plan)

        written = await self.write(plan["EventPlanId"], decide, cause)
        return [HeldPlan(plan["EventPlanId"], written.document.version, plan)] if written.changed else []


def created(plan: Plan) -> Change:
    """A plan's first version."""
    events = (Emission(_CREATED), _READY) if became_ready(None, plan) else (Emission(_CREATED),)
    return Change(plan, events)


def changed(before: Plan, after: Plan, *, message: str | None = None, user: str | None = None) -> Change:
    """A plan's next version; `eventplan.ready` beside, each time all of it became Green."""
    events = (_UPDATED, _READY) if became_ready(before, after) else (_UPDATED,)
    return Change(after, events, message=message, user=user)


def _held(document: Document) -> HeldPlan:
    return HeldPlan(document.key, document.version, document.state)

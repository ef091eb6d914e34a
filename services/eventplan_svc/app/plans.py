"""Owns the stored plans: how they are read, made in bulk and written, and that the board hears of every write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.domain.milestones import Plan
from services.eventplan_svc.domain.plan import Revision
from services.eventplan_svc.domain.readiness import became_ready
from shared.cause import AUTOMATION, Cause
from shared.documents.contract import Change, Document, Documents, OutgoingEvent, Store, UpdateFn, Written
from shared.errors import Stale
from shared.trace import Trace

__all__ = ["HeldPlan", "Plans", "automatic", "changed", "created"]

_BREATH: Final = 500
_LOOK: Final = 0.1
_CREATED: Final = "eventplan.created"
_UPDATED: Final = OutgoingEvent("eventplan.updated")
_READY: Final = OutgoingEvent("eventplan.ready")


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

    def __init__(self, store: Store, documents: Documents, board: Board) -> None:
        self._store = store
        self._documents = documents
        self._board = board

    async def held(self, keys: Sequence[str]) -> list[HeldPlan]:
        """Those of the plans that are there."""
        return [_held(document) for document in (await self._documents.latest_many(keys)).values()]

    async def make(self, plans: Iterable[Plan], cause: Cause) -> dict[str, Plan]:
        """Makes those that are not there yet; answers what it made, by id. Of several makers one makes each.

        The board does not hear of them until it is told to show them.
        """
        by_key: dict[str, Plan] = {}
        ready: list[Plan] = []

        def in_bulk() -> Iterator[tuple[str, Plan]]:
            for plan in plans:
                if became_ready(None, plan):
                    ready.append(plan)
                else:
                    key = plan["EventPlanId"]
                    by_key[key] = plan
                    yield key, plan

        made = {key: by_key[key] for key in await self._documents.create_many(in_bulk(), _CREATED, cause)}
        for plan in ready:
            if await self._make_ready(plan, cause):
                made[plan["EventPlanId"]] = plan
        return made

    async def show(self, made: Mapping[str, Plan]) -> None:
        """Puts new plans on the board."""
        for number, (key, plan) in enumerate(made.items()):
            self._board.put(key, 1, plan)
            if number % _BREATH == 0:
                await asyncio.sleep(0)

    async def all_told(self, patience: float) -> None:
        """Returns when the broker has every event of this service, or after some seconds all the same."""
        for _ in range(int(patience / _LOOK)):
            if not (await self._store.outbox()).open:
                return
            await asyncio.sleep(_LOOK)

    async def write(self, key: str, decide: UpdateFn, cause: Cause, *, expected: int | None = None) -> Written:
        """Changes one plan; retried on the newest version where no version is expected."""
        written = await self._documents.update(key, decide, cause, expected=expected)
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

    async def _make_ready(self, plan: Plan, cause: Cause) -> bool:
        """A plan that facts make Green from the first: made by itself, since two events tell of it."""

        def decide(present: Document | None) -> Change | None:
            return created(plan) if present is None else None

        return (await self.write(plan["EventPlanId"], decide, cause)).changed


def created(plan: Plan) -> Change:
    """A plan's first version."""
    events = (OutgoingEvent(_CREATED), _READY) if became_ready(None, plan) else (OutgoingEvent(_CREATED),)
    return Change(plan, events)


def changed(before: Plan, after: Plan, *, message: str | None = None, user: str | None = None) -> Change:
    """A plan's next version; `eventplan.ready` beside, each time all of it became Green."""
    events = (_UPDATED, _READY) if became_ready(before, after) else (_UPDATED,)
    return Change(after, events, message=message, user=user)


def _held(document: Document) -> HeldPlan:
    return HeldPlan(document.key, document.version, document.state)

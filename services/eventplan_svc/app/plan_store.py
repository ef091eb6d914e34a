"""The stored plans: read, created in bulk and written. The readiness view gets every write of this process at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from services.eventplan_svc.app.colour_changes import ColourChanges
from services.eventplan_svc.app.plan_codec import decode_plan, encode_plan, encode_plans, in_colours_of, tag_of
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.domain.colour_changes import changed_colour
from services.eventplan_svc.domain.lifecycle import Revision
from services.eventplan_svc.domain.plan import Plan, TPMRequest
from services.eventplan_svc.domain.readiness import became_ready, is_ready
from shared.cause import Cause
from shared.documents import Change, Document, Documents, OutgoingEvent, Written
from shared.errors import Stale
from shared.schemas.eventplan_svc import TPMRequested
from shared.tasks import for_each

_AT_ONCE: Final = 64  # writes under way at once; more make no store faster
_CREATED: Final = OutgoingEvent("eventplan.created")
_UPDATED: Final = OutgoingEvent("eventplan.updated")
_READY: Final = OutgoingEvent("eventplan.ready")


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan and its version."""

    version: int
    plan: Plan


class PlanStore:
    """The documents of EventPlan. Each write publishes the plan's snapshot, and what else it calls for."""

    def __init__(self, documents: Documents, view: ReadinessView, changes: ColourChanges) -> None:
        self._documents = documents
        self._view = view
        self._changes = changes
        self.is_known = view.is_known
        self.creating_many = view.creating

    async def get_many(self, keys: Sequence[str]) -> list[StoredPlan]:
        """Those of the plans that are there."""
        documents = await self._documents.latest_many(keys)
        return [StoredPlan(document.version, decode_plan(document.state)) for document in documents.values()]

    async def create_missing(self, plans: Iterable[Plan], cause: Cause) -> list[str]:
        """Creates those that are not there; returns their ids. Of several creators at once one creates each."""
        by_id: dict[str, Plan] = {}
        eventful: list[Plan] = []
        for plan in plans:
            if is_ready(plan) or plan.automation.tpm_request is not None:
                eventful.append(plan)
            else:
                by_id[plan.id] = plan
        created: list[str] = []
        if by_id:
            states = zip(by_id, encode_plans(by_id.values()), strict=True)
            created += await self._documents.create_many(states, _CREATED.type, cause)
        for key in created:
            self._view.put(1, by_id[key])

        async def create(plan: Plan) -> None:
            written = await self.write(plan.id, partial(_unless_present, plan), cause)
            if written.changed:
                created.append(plan.id)

        if eventful:  # such a plan has more than one event
            await for_each(eventful, create, at_once=_AT_ONCE)
        return created

    async def write(self, key: str, decide: Callable[[Plan | None], Plan | None], cause: Cause) -> Written:
        """Writes what ``decide`` makes of the present plan (None: there is none); None or the same plan: no change.
        The outcome is in the colours of the moment.

        ``decide`` is pure and is called again when another writer came first. Stale where the condition
        of the cause does not hold.
        """
        after: Plan | None = None
        condition = cause.condition
        announced = _Announced()

        def change(present: Document | None) -> Change | None:
            nonlocal after
            if present is not None and condition is not None:
                condition.check(tag_of(in_colours_of(cause.now, present)))
            before = None if present is None else decode_plan(present.state)
            after = decide(before)
            if present is None and after is not None and condition is not None:
                condition.check(None)
            if after is None or after == before:
                return None
            if present is not None and before is not None and changed_colour(before, after):
                announced.check(after, present.version + 1)
            return _change(before, after)

        while True:
            try:
                written = await self._documents.update(key, change, cause)
                break
            except _NotAnnounced as to_come:
                await self._changes.announce([(to_come.plan, to_come.version, cause.now)])
                announced.versions.add(to_come.version)
        if written.changed and after is not None:
            self._view.put(written.document.version, after)
            return written
        return replace(written, document=in_colours_of(cause.now, written.document))

    async def revise(self, revisions: Sequence[tuple[StoredPlan, Revision, Cause]]) -> list[str]:
        """Writes what automation came to, each plan unless it has changed since it was read: the ids of those."""
        turning = [one for one in revisions if changed_colour(one[0].plan, one[1].plan)]
        await self._changes.announce((after.plan, before.version + 1, cause.now) for before, after, cause in turning)
        passed_by: list[str] = []

        async def write(one: tuple[StoredPlan, Revision, Cause]) -> None:
            stored, revision, cause = one
            change = _change(stored.plan, revision.plan, message=revision.message, user=revision.user)
            try:
                written = await self._documents.update(stored.plan.id, lambda _: change, cause, expected=stored.version)
            except Stale:
                passed_by.append(stored.plan.id)
                return
            self._view.put(written.document.version, revision.plan)

        await for_each(revisions, write, at_once=_AT_ONCE)
        return passed_by


class _NotAnnounced(Exception):
    """A write is to change a plan's colour, and that version of it is not announced yet."""

    def __init__(self, plan: Plan, version: int) -> None:
        super().__init__(plan.id)
        self.plan = plan
        self.version = version


@dataclass(frozen=True, slots=True)
class _Announced:
    """The versions of a plan whose change of colour is announced."""

    versions: set[int] = field(default_factory=set)

    def check(self, plan: Plan, version: int) -> None:
        if version not in self.versions:
            raise _NotAnnounced(plan, version)


def _unless_present(new: Plan, present: Plan | None) -> Plan | None:
    return new if present is None else None


def _change(before: Plan | None, after: Plan, *, message: str | None = None, user: str | None = None) -> Change:
    """The write of a plan's next version, with `eventplan.ready` each time all of it became Green, and with
    `eventplan.tpm.requested` each time that its TPM is to be communicated.
    """
    events = [_CREATED if before is None else _UPDATED]
    if became_ready(before, after):
        events.append(_READY)
    request = after.automation.tpm_request
    if request is not None and (before is None or request != before.automation.tpm_request):
        events.append(_requested(after, request))
    return Change(encode_plan(after), tuple(events), message=message, user=user)


def _requested(plan: Plan, request: TPMRequest) -> OutgoingEvent:
    data = TPMRequested(
        event_id=plan.event_id,
        fleet_id=plan.fleet_id,
        service_id=request.service_id,
        peak_tpm=request.peak_tpm,
        downstream_service_ids=list(request.services),
    )
    return OutgoingEvent("eventplan.tpm.requested", data=data.wire())

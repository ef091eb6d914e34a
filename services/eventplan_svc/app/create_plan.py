"""Use case: a person makes one plan by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.eventplan_svc.app.knowledge import Knowledge
from services.eventplan_svc.app.plans import Plans, created
from services.eventplan_svc.app.settle_plans import SettlePlans
from services.eventplan_svc.domain.milestones import Plan
from services.eventplan_svc.domain.plan import initial_plan, plan_id, plan_template, refuse_creation_by_hand
from services.eventplan_svc.domain.surroundings import Surroundings
from shared.cause import Cause
from shared.documents.contract import Change, Document, Written
from shared.errors import BadInput, Conflict, FieldError, NotFound, Refused
from shared.resources import parse
from shared.schemas.eventplan_svc import CreateEventPlan

__all__ = ["CreatePlan"]

_BESIDE: Final = frozenset({"EventPlanId", "ServiceId"})
"""Keys a body may hold beside EventId and FleetId; they must be the plan's own."""


class CreatePlan:
    """{EventId, FleetId}, whatever the event's dates. Idempotent by the cause's id.

    NotFound: event or fleet unknown or deleted. Conflict: there already; its service deleted or not Registered.
    BadInput: a bad or unknown member.
    """

    def __init__(self, plans: Plans, knowledge: Knowledge, settle: SettlePlans) -> None:
        self._plans = plans
        self._knowledge = knowledge
        self._settle = settle

    async def __call__(self, body: Mapping[str, Any], cause: Cause) -> Written:
        asked = parse(CreateEventPlan, {name: value for name, value in body.items() if name not in _BESIDE})
        key = plan_id(asked["EventId"], asked["FleetId"])
        plan, refused = await self._planned(asked["EventId"], asked["FleetId"], body, cause)

        def decide(present: Document | None) -> Change:
            if present is not None:
                raise Conflict(f"EventPlan {key} is there already", slug="exists")
            if refused is not None or plan is None:
                raise refused or NotFound(f"there is no EventPlan {key}")
            return created(plan)

        written = await self._plans.write(key, decide, cause)
        if written.changed:
            await self._settle({key: cause.trace})  # news that came in between found no plan
        return written

    async def _planned(
        self, event_id: str, fleet_id: str, body: Mapping[str, Any], cause: Cause
    ) -> tuple[Plan | None, Refused | None]:
        """The plan to be made, or why it may not be; told inside the write, which keeps the answer."""
        event, fleet = await self._knowledge.event(event_id), await self._knowledge.fleet(fleet_id)
        if event is None or event.deleted:
            return None, NotFound(f"there is no Event {event_id}")
        if fleet is None or fleet.deleted:
            return None, NotFound(f"there is no Fleet {fleet_id}")
        service = await self._knowledge.service(fleet.service_id)
        facts = await self._knowledge.facts_of(plan_id(event_id, fleet_id))
        try:
            refuse_creation_by_hand(fleet.service_id, service)
            plan = initial_plan(plan_template(event, cause.now), Surroundings(event, fleet, service), facts, cause.now)
            _check_keys(plan, body)
        except Refused as refused:
            return None, refused
        return plan, None


def _check_keys(plan: Plan, body: Mapping[str, Any]) -> None:
    wrong = [
        FieldError(f"/{name}", f"must equal {plan[name]}; correct it or leave it out")
        for name in sorted(_BESIDE)
        if body.get(name, plan[name]) != plan[name]
    ]
    if wrong:
        raise BadInput("the body's keys are not the plan's", wrong, slug="key-mismatch")

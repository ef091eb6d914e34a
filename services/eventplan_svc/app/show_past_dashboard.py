"""Use case: the dashboards of an event as they stood at an earlier time (6.6.20 to 6.6.25a).

A view is built as it was then, and shows what it would have shown: so whatever a dashboard can filter, sort and count
can also be asked of the past.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from services.eventplan_svc.app.past_plans import PastPlans
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.app.show_dashboard import Dashboards
from services.eventplan_svc.domain.history import Known
from services.eventplan_svc.domain.inputs import Fleet, Organization, Service
from services.eventplan_svc.domain.milestones import utc_day
from shared.clock import Clock, iso
from shared.durability.lease import Leases
from shared.errors import BadInput, FieldError, NotFound, Refused, Unavailable
from shared.trace import new_id

_LONGEST: Final = 60.0
"""Seconds for which a caller may have one such dashboard made. Some ten thousand plans take a few. A process that dies
with one leaves its caller refused for so long."""


async def past_dashboards(
    event_id: str,
    *,
    at: datetime,
    caller: str,
    past_plans: PastPlans,
    read_models: ReadModels,
    leases: Leases,
    clock: Clock,
) -> Dashboards:
    """The dashboards of an instant. The cost follows the event's plans, not how old they are.

    BadInput: the instant is still to come. Refused (429): the same caller has others made. NotFound: there was no such
    event then. Unavailable: the plans are not all known yet, or it takes too long.
    """
    if at > clock.now():
        raise BadInput(f"AsOf is after now, {iso(clock.now())}", [FieldError("/AsOf", "give a time that has passed")])
    async with _alone(leases, caller):
        return await build_past(event_id, at, past_plans=past_plans, read_models=read_models)


async def build_past(event_id: str, at: datetime, *, past_plans: PastPlans, read_models: ReadModels) -> Dashboards:
    """What was known of one event at an instant. NotFound: there was no such event."""
    event = (await read_models.events.known_at([event_id], at)).get(event_id)
    if event is None or event.value is None or event.value.deleted:
        raise NotFound(f"there was no Event {event_id} at {iso(at)}")
    view = ReadinessView()
    service_ids, fleet_ids = set[str](), list[str]()
    async for plans in past_plans.at(event_id, at):
        for plan in plans:
            view.put(1, plan)
            service_ids.add(plan.service_id)
            fleet_ids.append(plan.fleet_id)
    services, fleets, organizations = await asyncio.gather(
        read_models.services.known_at(service_ids, at),
        read_models.fleets.known_at(fleet_ids, at),
        read_models.organizations.all_known_at(at),
    )
    known: tuple[Known[Service] | Known[Fleet] | Known[Organization], ...] = (
        *services.values(),
        *fleets.values(),
        *organizations,
    )
    for one in known:
        match one.value:
            case Service():
                view.put_service(one.value)
            case Fleet():
                view.put_fleet(one.value)
            case Organization():
                view.put_organization(one.value)
    exact = event.exact and all(one.exact for one in known)
    return Dashboards(event.value, view, utc_day(at), approximate=not exact)


@asynccontextmanager
async def _alone(leases: Leases, caller: str) -> AsyncIterator[None]:
    """While nobody else does this for the caller, in whatever process (6.6.25a). It ends before the lease does."""
    lease = await leases.claim(f"dashboard as of/{caller}", new_id(), _LONGEST)
    if lease is None:
        detail = f"{caller} has another dashboard of the past made; ask again when it is there"
        raise Refused(detail, slug="as-of-under-way", status=429, title="Too many requests", retry_after=2)
    try:
        async with asyncio.timeout(_LONGEST):
            yield
    except TimeoutError:
        raise Unavailable(f"the dashboard of the past was not there within {_LONGEST:.0f} s; ask again") from None
    finally:
        await leases.release(lease)

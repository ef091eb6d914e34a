"""How eventplan_svc is put together."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from services.eventplan_svc.app.change_milestones import change_milestones
from services.eventplan_svc.app.colour_changes import ColourChanges, show_changes
from services.eventplan_svc.app.create_plan import create_plan
from services.eventplan_svc.app.keep_readiness_view import build_view, show
from services.eventplan_svc.app.keep_trend import KeepTrend
from services.eventplan_svc.app.on_inputs_changed import (
    on_event_changed,
    on_facts_changed,
    on_fleets_changed,
    on_organizations_changed,
    on_services_changed,
)
from services.eventplan_svc.app.past_plans import PastPlans
from services.eventplan_svc.app.plan_store import PlanStore
from services.eventplan_svc.app.planner import Planner
from services.eventplan_svc.app.read_models import ReadModels
from services.eventplan_svc.app.read_plans import ReadPlans
from services.eventplan_svc.app.readiness_view import ReadinessView
from services.eventplan_svc.app.reconcile import LOOK_EVERY, Reconcile
from services.eventplan_svc.app.restore_plan import restore_plan
from services.eventplan_svc.app.show_dashboard import present_dashboards
from services.eventplan_svc.app.show_past_dashboard import past_dashboards
from services.eventplan_svc.app.trend_rows import TrendRows, show_trend
from services.eventplan_svc.app.turn_colours import TurnColours
from services.eventplan_svc.domain import changes
from services.eventplan_svc.entrypoints.broadcast import Broadcast
from services.eventplan_svc.entrypoints.dashboards import ReadinessViews, dashboard_routes
from services.eventplan_svc.entrypoints.http import routes
from services.eventplan_svc.entrypoints.messages import subscriptions
from shared.clock import Clock
from shared.documents import Store
from shared.messaging.commands import Command
from shared.messaging.transport import Transport
from shared.schemas.eventplan_svc import (
    CreateEventPlan,
    ReplaceMilestones,
    RestoreEventPlan,
    SetMilestone,
    SetMilestoneStatus,
)
from shared.service import DocumentKit, RunningService
from shared.settings import Settings
from shared.web import Check

_NAME: Final = "eventplan_svc"
_SWEEP_EVERY: Final = 30.0  # seconds; how late colours may turn after midnight


class Wiring:
    """The service on one store, without broker and web server: use cases, their stores, and what calls them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        documents = store.documents("eventplan")
        self.view = view = ReadinessView()
        self.read_models, self.read_plans = ReadModels(store), ReadPlans(documents, view, clock)
        changes_of_colour = ColourChanges(store.read_model("colour_change"), documents)
        plans, past_plans = PlanStore(documents, view, changes_of_colour), PastPlans(documents, view)
        self.planner = planner = Planner(plans, self.read_models, clock)
        create = partial(create_plan, planner=planner)
        set_status = partial(change_milestones, rule=changes.set_milestone_status, planner=planner)
        set_one = partial(change_milestones, rule=changes.set_milestone, planner=planner)
        set_all = partial(change_milestones, rule=changes.replace_milestones, planner=planner)
        restore = partial(restore_plan, planner=planner, read_plans=self.read_plans)
        self.commands: list[Command[Any]] = [
            Command(CreateEventPlan, create, "eventplan.create"),
            Command(SetMilestoneStatus, set_status, "milestone.update"),
            Command(SetMilestone, set_one, "milestone.update"),
            Command(ReplaceMilestones, set_all, "milestone.update"),
            Command(RestoreEventPlan, restore, "eventplan.restore"),
        ]
        self.subscriptions = subscriptions(
            self.commands,
            on_event_changed=partial(on_event_changed, planner=planner),
            on_services_changed=partial(on_services_changed, planner=planner, view=view),
            on_fleets_changed=partial(on_fleets_changed, planner=planner, view=view),
            on_organizations_changed=partial(
                on_organizations_changed, read_models=self.read_models, view=view, clock=clock
            ),
            on_facts_changed=partial(on_facts_changed, planner=planner),
        )
        read_models, leases, rows = self.read_models, store.leases(), TrendRows(store.read_model("trend"))
        self.present = partial(present_dashboards, read_models=read_models, view=view, clock=clock)
        self.past = partial(past_dashboards, past_plans=past_plans, read_models=read_models, leases=leases, clock=clock)
        self.trend = partial(show_trend, rows=rows, read_models=read_models, clock=clock)
        self.changes = partial(show_changes, read_models=read_models, changes=changes_of_colour)
        views = ReadinessViews(present=self.present, past=self.past, trend=self.trend, changes=self.changes)
        self.routes = [routes(self.commands, self.read_plans, clock), dashboard_routes(views, clock)]
        self.build_view = partial(build_view, plans=plans, read_models=self.read_models, view=view)
        self.show = partial(show, view=view)
        self.turn_colours = TurnColours(plans, view, clock)
        self.keep_trend = KeepTrend(rows, leases, past_plans=past_plans, read_models=read_models, clock=clock)
        self.reconcile = Reconcile(leases, planner=planner, view=view)


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """eventplan_svc, not started."""
    kit = DocumentKit(_NAME, settings, transport, clock)
    wiring = Wiring(kit.store, clock)
    broadcast = Broadcast(transport, wiring.view, build=wiring.build_view, show=wiring.show)
    return kit.service(
        routes=wiring.routes,
        subscriptions=wiring.subscriptions,
        parts=[broadcast],
        checks=[Check("readiness view", broadcast.check)],
        periodic=[
            kit.every(_SWEEP_EVERY, "turn colours", wiring.turn_colours),
            kit.every(_SWEEP_EVERY, "keep trend", wiring.keep_trend),
            kit.every(LOOK_EVERY, "reconcile", wiring.reconcile),
        ],
        description="Every fleet's milestones for every event, and who is ready.",
    )

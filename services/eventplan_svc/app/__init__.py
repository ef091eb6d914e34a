"""The use cases of eventplan_svc, all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from services.eventplan_svc.app.board import Board
from services.eventplan_svc.app.change_plan import ChangePlan
from services.eventplan_svc.app.create_plan import CreatePlan
from services.eventplan_svc.app.hear_facts import HearFacts
from services.eventplan_svc.app.hear_of_event import HearOfEvent
from services.eventplan_svc.app.hear_of_fleets import HearOfFleets
from services.eventplan_svc.app.hear_of_services import HearOfServices
from services.eventplan_svc.app.knowledge import Knowledge
from services.eventplan_svc.app.make_due_plans import MakeDuePlans
from services.eventplan_svc.app.plans import Plans
from services.eventplan_svc.app.read_plans import ReadPlans
from services.eventplan_svc.app.reconcile import Reconcile
from services.eventplan_svc.app.settle_plans import SettlePlans
from services.eventplan_svc.app.show_dashboard import ShowDashboard
from services.eventplan_svc.app.turn_colours import TurnColours
from services.eventplan_svc.domain.changes import replace_milestones, set_milestone, set_milestone_status
from services.eventplan_svc.domain.times import utc_day
from shared.clock import Clock
from shared.documents.contract import Store

__all__ = ["UseCases"]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What eventplan_svc does: on what it hears, at a person's wish, and by the clock."""

    hear_of_event: HearOfEvent
    hear_of_fleets: HearOfFleets
    hear_of_services: HearOfServices
    hear_facts: HearFacts
    make_due_plans: MakeDuePlans
    settle_plans: SettlePlans

    create_plan: CreatePlan
    set_milestone_status: ChangePlan
    set_milestone: ChangePlan
    replace_milestones: ChangePlan
    read_plans: ReadPlans
    show_dashboard: ShowDashboard

    turn_colours: TurnColours
    reconcile: Reconcile

    board: Board
    plans: Plans
    knowledge: Knowledge

    @classmethod
    def on(cls, store: Store, clock: Clock) -> Self:
        """All of them, on one store."""
        board = Board(utc_day(clock.now()))
        documents = store.documents("eventplan")
        plans, knowledge = Plans(store, documents, board), Knowledge(store)
        settle = SettlePlans(plans, knowledge, clock)
        make = MakeDuePlans(plans, knowledge, settle, board, clock)
        return cls(
            hear_of_event=HearOfEvent(knowledge, make, settle),
            hear_of_fleets=HearOfFleets(knowledge, make, settle, board),
            hear_of_services=HearOfServices(knowledge, make, settle, board),
            hear_facts=HearFacts(knowledge, settle),
            make_due_plans=make,
            settle_plans=settle,
            create_plan=CreatePlan(plans, knowledge, settle),
            set_milestone_status=ChangePlan(set_milestone_status, plans, knowledge, settle),
            set_milestone=ChangePlan(set_milestone, plans, knowledge, settle),
            replace_milestones=ChangePlan(replace_milestones, plans, knowledge, settle),
            read_plans=ReadPlans(documents, board, clock),
            show_dashboard=ShowDashboard(board, knowledge, clock),
            turn_colours=TurnColours(plans, board, clock),
            reconcile=Reconcile(knowledge, make, settle, board, store.read_model("turns")),
            board=board,
            plans=plans,
            knowledge=knowledge,
        )

"""What hotw_svc consumes: events of other services' resources, and its commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from services.hotw_svc.adapters.inputs.read_models import custom_input_state, plan_state
from services.hotw_svc.app.ports import Commands, InputKind
from shared.durability.read_model import Snapshot
from shared.messaging.commands import Command, CommandSubscription
from shared.messaging.subscription import Handler, Received, Subscribed, Subscription
from shared.schemas.event_svc.event import EventSnapshot
from shared.schemas.eventplan_svc import EventPlanSnapshot
from shared.schemas.fleet_svc.approval_rule import ApprovalRuleSnapshot
from shared.schemas.fleet_svc.custom_formula import CustomFormulaSnapshot
from shared.schemas.fleet_svc.custom_input import CustomInputSnapshot
from shared.schemas.fleet_svc.exception import ExceptionSnapshot
from shared.schemas.fleet_svc.fleet import FleetSnapshot, InventoryReported
from shared.schemas.fleet_svc.philosophy import PhilosophySnapshot
from shared.schemas.fleet_svc.projection import ProjectionSnapshot
from shared.schemas.fleet_svc.service import ServiceSnapshot
from shared.schemas.fleet_svc.traffic import BAU_CHANGED, BAUChanged
from shared.schemas.hotw_external import RecordDashboard, RecordExecution, RecordRun, UpdateRecordedRun
from shared.schemas.hotw_order_reviews import ReviewOrders
from shared.schemas.hotw_preferences import StorePreferredASGs
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.trace import Trace

OnInputsChanged = Callable[[InputKind, Sequence[Snapshot], Mapping[str, Trace]], Awaitable[None]]
OnEventChanged = Callable[[Snapshot, Trace], Awaitable[None]]
R = TypeVar(
    "R",
    EventSnapshot,
    ServiceSnapshot,
    PhilosophySnapshot,
    FleetSnapshot,
    ExceptionSnapshot,
    ProjectionSnapshot,
    InventoryReported,
    BAUChanged,
    CustomFormulaSnapshot,
    CustomInputSnapshot,
    ApprovalRuleSnapshot,
)


def subscriptions(
    commands: Commands, *, on_inputs_changed: OnInputsChanged, on_event_changed: OnEventChanged
) -> list[Subscribed]:
    """All of them. Events have a group of their own, because a changed event may move many order books.

    So have plans, because they change by the thousand and nothing that HOTW works out depends on them.
    """

    async def events(batch: Sequence[Received[EventSnapshot]]) -> None:
        for received in batch:
            await on_event_changed(_snapshot(received), received.effect)

    async def plans(batch: Sequence[Received[EventPlanSnapshot]]) -> None:
        kept = [(one.message.key, one.data.version_id, plan_state(one.data)) for one in batch]
        await on_inputs_changed(InputKind.PLAN, kept, {})  # no order book follows a plan

    def inputs(model: type[R], topics: Sequence[str], kind: InputKind) -> Handler[R]:
        async def handle(batch: Sequence[Received[R]]) -> None:
            traces = {received.message.key: received.effect for received in batch}
            await on_inputs_changed(kind, [_snapshot(received) for received in batch], traces)

        return Handler(model, topics, bulk=handle)

    return [
        Subscription("hotw_svc.events", Handler(EventSnapshot, _changes("event"), bulk=events)),
        Subscription(
            "hotw_svc.inputs",
            inputs(ServiceSnapshot, _changes("service"), InputKind.SERVICE),
            inputs(PhilosophySnapshot, _changes("philosophy"), InputKind.PHILOSOPHY),
            inputs(FleetSnapshot, _changes("fleet"), InputKind.FLEET),
            inputs(ExceptionSnapshot, _changes("exception"), InputKind.EXCEPTION),
            inputs(ProjectionSnapshot, _changes("projection"), InputKind.PROJECTION),
            inputs(InventoryReported, ["fleet.inventory.reported"], InputKind.INVENTORY),
            inputs(BAUChanged, [BAU_CHANGED], InputKind.BAU_TRAFFIC),
            inputs(CustomFormulaSnapshot, _changes("customformula"), InputKind.CUSTOM_FORMULA),
            inputs(CustomInputSnapshot, _changes("custominput"), InputKind.CUSTOM_INPUT),
            inputs(ApprovalRuleSnapshot, _changes("approvalrule"), InputKind.APPROVAL_RULE),
        ),
        Subscription(
            "hotw_svc.plans", Handler(EventPlanSnapshot, ["eventplan.created", "eventplan.updated"], bulk=plans)
        ),
        CommandSubscription("hotw.commands", _commands(commands)),
    ]


def _changes(resource: str) -> list[str]:
    return [f"{resource}.{verb}" for verb in ("created", "updated", "deleted")]


def _snapshot(received: Received[R]) -> Snapshot:
    """An inventory has no VersionId; a later AsOf, in milliseconds, is the newer one."""
    data = received.data
    version = int(data.as_of.timestamp() * 1000) if isinstance(data, InventoryReported) else data.version_id
    state = custom_input_state(data) if isinstance(data, CustomInputSnapshot) else data.wire()
    return received.message.key, version, state


def _commands(commands: Commands) -> list[Command[Any]]:
    return [
        Command(StartRun, commands.start_run, "hotw.run.start", conditional=False),
        Command(CancelRun, commands.cancel_run, "hotw.run.cancel", conditional=False),
        Command(ExecuteFleet, commands.execute_fleet, "hotw.fleet.execute", conditional=False),
        Command(ReviewOrder, commands.review_order, "hotw.order.review", conditional=False),
        Command(ReviewOrders, commands.review_orders, "hotw.order.review", conditional=False),
        Command(ReportDelivery, commands.report_delivery, "hotw.delivery.report", conditional=False),
        Command(StorePreferredASGs, commands.store_preferred_asgs, "hotw.preference.store", conditional=False),
        Command(RecordRun, commands.record_run, "hotw.run.record", conditional=False),
        Command(UpdateRecordedRun, commands.record_run, "hotw.run.record", conditional=False),
        Command(RecordExecution, commands.record_execution, "hotw.execution.record", conditional=False),
        Command(RecordDashboard, commands.record_dashboard, "hotw.dashboard.record", conditional=False),
    ]

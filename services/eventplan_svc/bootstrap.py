"""Owns how eventplan_svc is put together."""

from __future__ import annotations

from typing import Final

from services.eventplan_svc.adapters.following import Following
from services.eventplan_svc.app import UseCases
from services.eventplan_svc.app.reconcile import LOOK_EVERY
from services.eventplan_svc.entrypoints.http import routes
from services.eventplan_svc.entrypoints.messages import BOARD_GROUPS, subscriptions
from shared.clock import Clock
from shared.messaging.transport import Transport
from shared.service import DocumentKit, RunningService
from shared.settings import Settings
from shared.web import Check

__all__ = ["build"]

_NAME: Final = "eventplan_svc"
_SWEEP_EVERY: Final = 30.0


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """eventplan_svc, not started."""
    kit = DocumentKit(_NAME, settings, transport, clock)
    use_cases = UseCases.on(kit.store, clock)
    following = Following(_NAME, transport, use_cases.board, use_cases.plans, use_cases.knowledge, BOARD_GROUPS)
    return kit.service(
        routes=[routes(use_cases, clock)],
        subscriptions=subscriptions(use_cases),
        parts=[following],
        periodic=[
            kit.every(_SWEEP_EVERY, "turn colours", use_cases.turn_colours),
            kit.every(LOOK_EVERY, "reconcile", use_cases.reconcile),
        ],
        checks=[Check("board", following.health)],
        description="Every fleet's milestones for every event, and who is ready.",
    )

"""Owns how hotw_svc is put together."""

from __future__ import annotations

from functools import partial
from typing import Final

from services.hotw_svc.adapters.inputs.snapshots import az_factors
from services.hotw_svc.adapters.queries.inputs_known import InputsKnown
from services.hotw_svc.adapters.queries.queries import Queries
from services.hotw_svc.adapters.store import HotwStore, migrate
from services.hotw_svc.adapters.tables import KIT, METADATA
from services.hotw_svc.app import UseCases
from services.hotw_svc.entrypoints.http import routes
from services.hotw_svc.entrypoints.inputs import input_routes
from services.hotw_svc.entrypoints.messages import subscriptions
from shared.clock import Clock
from shared.messaging.transport import Transport
from shared.relational import Database, RelationalDeadLetters
from shared.service import RunningService, ServiceKit
from shared.settings import Settings

__all__ = ["build"]

_NAME: Final = "hotw_svc"
_SETTLE_EVERY: Final = 5.0
_PURGE_EVERY: Final = 3600.0


async def build(settings: Settings, transport: Transport, clock: Clock) -> RunningService:
    """hotw_svc, not started."""
    open_database = partial(
        Database, settings.mysql_url or settings.data_dir / "hotw.db", metadata=METADATA, kit=KIT, migrate=migrate
    )
    kit = ServiceKit(
        _NAME,
        settings,
        transport,
        clock,
        open_store=lambda publish: open_database(publish=publish),
        dead_letters_of=RelationalDeadLetters,
    )
    database = kit.store
    use_cases = UseCases(HotwStore(database, az_factors(settings.az_factor_map)), clock)
    return kit.service(
        routes=[input_routes(InputsKnown(database)), routes(use_cases, Queries(database), clock)],
        subscriptions=subscriptions(use_cases, clock),
        parts=[use_cases.worker],
        periodic=[
            kit.every(_SETTLE_EVERY, "settle books", use_cases.settle_books),
            kit.every(_PURGE_EVERY, "purge answers", database.purge, at_start=False),
        ],
        description="Works out, orders and follows the hosts every fleet needs for a peak.",
    )

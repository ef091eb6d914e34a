"""HOTW's store: its migrations, and the rows that a transaction reads and writes, on MySQL or SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters.external.recorded_rows import RecordedRows
from services.hotw_svc.adapters.inputs.input_rows import InputReadModels
from services.hotw_svc.adapters.inputs.preferred_asgs import Preferences
from services.hotw_svc.adapters.inputs.read_models import READ_MODELS
from services.hotw_svc.adapters.orders.gap_rows import GapRows
from services.hotw_svc.adapters.orders.order_books import OrderBooks
from services.hotw_svc.adapters.orders.order_reviews import OrderReviews
from services.hotw_svc.adapters.providers.provider_group_rows import ProviderGroups
from services.hotw_svc.adapters.runs.claims import Claims
from services.hotw_svc.adapters.runs.execution_rows import Executions
from services.hotw_svc.adapters.runs.run_rows import Runs
from services.hotw_svc.adapters.runs.slots import Slots
from services.hotw_svc.app.ports import Store, Unit
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.relational import Database, UnitOfWork, migrations_in

migrate: Final = migrations_in(Path(__file__).parent / "migrations", name="hotw_svc")


def store_in(database: Database, az_factors: AzFactors, *, queue_groups: bool = False) -> Store:
    """The store of one process of hotw_svc. ``az_factors`` are the region's, as configured.

    ``queue_groups``: groups whose curve changes are queued for a provider that is asked for them.
    """
    database.declare(*READ_MODELS.values())

    def unit(connection: AsyncConnection, work: UnitOfWork | None) -> Unit:
        return Unit(
            Runs(connection),
            Claims(connection),
            Executions(connection, queue_groups=queue_groups),
            OrderBooks(connection, queue_groups=queue_groups),
            OrderReviews(connection),
            InputReadModels(connection, az_factors),
            work,
            Preferences(connection),
            Slots(connection),
            RecordedRows(connection),
            ProviderGroups(connection),
            GapRows(connection),
        )

    return Store(database, unit)

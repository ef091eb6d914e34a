"""HOTW's store: the transactions of its use cases, on MySQL or SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.hotw_svc.adapters.inputs.input_rows import InputReadModels
from services.hotw_svc.adapters.inputs.read_models import READ_MODELS
from services.hotw_svc.adapters.orders.order_books import OrderBooks
from services.hotw_svc.adapters.runs.claims import Claims
from services.hotw_svc.adapters.runs.execution_rows import Executions
from services.hotw_svc.adapters.runs.run_rows import Runs
from services.hotw_svc.app.ports import View
from services.hotw_svc.domain.runs.distribution import AzFactors
from shared.cause import Cause
from shared.errors import Refused
from shared.relational import Database, UnitOfWork, migrations_in

T = TypeVar("T")
migrate: Final = migrations_in(Path(__file__).parent / "migrations", name="hotw_svc")


class HotwUnit:
    """One transaction. Reading needs only the connection; writing is done under ``UnitOfWork``."""

    def __init__(self, connection: AsyncConnection, az_factors: AzFactors, work: UnitOfWork | None = None) -> None:
        self.runs = Runs(connection)
        self.claims = Claims(connection)
        self.executions = Executions(connection)
        self.order_books = OrderBooks(connection)
        self.inputs = InputReadModels(connection, az_factors)
        self._work = work

    @property
    def work(self) -> UnitOfWork:
        if self._work is None:
            raise RuntimeError("this transaction only reads")
        return self._work


class HotwStore:
    """The store of one process of hotw_svc. ``az_factors`` are the region's, as configured."""

    def __init__(self, database: Database, az_factors: AzFactors | None = None) -> None:
        self.database = database
        for declared in READ_MODELS.values():
            database.read_model(declared)
        self._az_factors = az_factors if az_factors is not None else AzFactors.of({})

    async def write(self, fn: Callable[[HotwUnit], Awaitable[T]]) -> T:
        return await self.database.write(lambda work: fn(self._unit(work)))

    async def read(self, fn: Callable[[HotwUnit], Awaitable[T]]) -> T:
        async with self.database.read() as connection:
            return await fn(HotwUnit(connection, self._az_factors))

    async def run_once(self, cause: Cause, id_member: str, fn: Callable[[HotwUnit], Awaitable[View]]) -> View:
        async def body(work: UnitOfWork) -> dict[str, object]:
            return (await fn(self._unit(work))).body

        return View.of(id_member, await self.database.run_once(cause, body))

    async def keep_refusal(self, cause: Cause, refusal: Refused) -> None:
        await self.database.keep_refusal(cause, refusal)

    def _unit(self, work: UnitOfWork) -> HotwUnit:
        return HotwUnit(work.connection, self._az_factors, work)

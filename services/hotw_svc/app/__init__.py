"""What HOTW can be asked to do: its use cases, by name, on one store and one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.hotw_svc.app.inputs.on_inputs_changed import keep_replicas
from services.hotw_svc.app.orders.report_delivery import report_delivery
from services.hotw_svc.app.orders.review_order import review_order
from services.hotw_svc.app.orders.settle_order_books import settle_books
from services.hotw_svc.app.ports import Snapshot, Store
from services.hotw_svc.app.runs.cancel_run import cancel_run
from services.hotw_svc.app.runs.execute_fleet import execute_fleet
from services.hotw_svc.app.runs.start_run import start_run
from services.hotw_svc.app.runs.worker import RunWorker
from shared.cause import Cause
from shared.clock import Clock
from shared.schemas.hotw_svc import CancelRun, ExecuteFleet, ReportDelivery, ReviewOrder, StartRun
from shared.trace import Trace

__all__ = ["UseCases"]


class UseCases:
    """Both front doors call these; every answer is the resource as it is read."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.worker = RunWorker(store, clock)

    async def start_run(self, command: StartRun, cause: Cause) -> dict[str, Any]:
        run = await start_run(self.store, command, cause)
        self.worker.wake()
        return run

    async def execute_fleet(self, command: ExecuteFleet, cause: Cause) -> dict[str, Any]:
        return await execute_fleet(self.store, self.clock, command, cause)

    async def cancel_run(self, command: CancelRun, cause: Cause) -> dict[str, Any]:
        return await cancel_run(self.store, command, cause)

    async def review_order(self, command: ReviewOrder, cause: Cause) -> dict[str, Any]:
        return await review_order(self.store, command, cause)

    async def report_delivery(self, command: ReportDelivery, cause: Cause) -> dict[str, Any]:
        return await report_delivery(self.store, command, cause)

    async def keep_replicas(self, resource: str, snapshots: Sequence[Snapshot], trace: Trace | None = None) -> set[str]:
        return await keep_replicas(self.store, self.clock, resource, snapshots, trace)

    async def settle_books(self) -> int:
        return await settle_books(self.store, self.clock)

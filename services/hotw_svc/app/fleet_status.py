"""A dashboard line's status of a fleet in one sentence, and who has to act next."""

from __future__ import annotations

from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.schemas.hotw_svc import ExecutionStatus

_EPIC, _AWS, _FMC = "EPIC", "AWS", "FMC"


def fleet_status(totals: OrderTotals, status: str | None, reasoning: str | None) -> tuple[str, str | None]:
    """(StatusReasoning, ActionPendingOn): what failed or was lost first, then approval, then delivery; None: nobody.

    ``status`` and ``reasoning`` are those of the latest execution, None where there is none.
    """
    if status == ExecutionStatus.FAIL:
        return reasoning or "", _EPIC
    if totals.lost_orders:
        orders = "1 order" if totals.lost_orders == 1 else f"{totals.lost_orders} orders"
        return f"{orders} lost: hosts to be ordered anew", _EPIC
    if status == ExecutionStatus.PARTIAL_SUCCESS:
        return reasoning or "", _EPIC
    if totals.granted_orders < totals.live_orders:
        return f"{totals.granted_orders} of {totals.live_orders} orders approved", _AWS
    if totals.open_orders:
        return f"{totals.open_orders} of {totals.live_orders} orders pending", _FMC
    if totals.live_orders:
        return f"{totals.fulfilled_hosts:,} hosts delivered", None
    return "No hosts needed", None

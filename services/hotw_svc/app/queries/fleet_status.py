"""Owns what a dashboard line says of a fleet in one sentence, and who has to act next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["standing_of"]

_EPIC, _AWS, _FMC = "EPIC", "AWS", "FMC"


def standing_of(line: Mapping[str, Any], latest: Mapping[str, Any]) -> tuple[str, str | None]:
    """(StatusReasoning, ActionPendingOn): what failed or was lost first, then approval, then delivery; None: nobody.

    ``line`` has the numbers of the dashboard's row, ``latest`` those of the latest execution.
    """
    live, granted, still_open = line["LiveOrders"], line["GrantedOrders"], line["OpenOrders"]
    if latest.get("Status") == "Fail":
        return latest["Reasoning"], _EPIC
    if line["LostOrders"]:
        return f"{_orders(line['LostOrders'])} lost: hosts to be ordered anew", _EPIC
    if latest.get("Status") == "PartialSuccess":
        return latest["Reasoning"], _EPIC
    if granted < live:
        return f"{granted} of {live} orders approved", _AWS
    if still_open:
        return f"{still_open} of {live} orders pending", _FMC
    if live:
        return f"{line['FulfilledHosts']:,} hosts delivered", None
    return "No hosts needed", None


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"

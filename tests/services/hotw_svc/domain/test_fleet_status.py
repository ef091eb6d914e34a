"""Rules 7.17.13 to 7.17.16: what the dashboard says of a fleet, and who has to act."""

from __future__ import annotations

import pytest

from services.hotw_svc.domain.fleet_status import (
    HARDWARE_MILESTONES,
    HardwareMilestone,
    planned_status,
    unplanned_status,
)
from services.hotw_svc.domain.orders.order_book import OrderTotals
from shared.schemas.eventplan_svc import MilestoneStatus

OWNER = "fortress-owner@amazon.com"


def planned(*milestones: tuple[str, str | None]) -> tuple[str | None, str | None]:
    """The status of a plan with these statuses and messages of placing, approval and fulfilment."""
    states = [
        HardwareMilestone(name, MilestoneStatus(status), message)
        for name, (status, message) in zip(HARDWARE_MILESTONES, milestones, strict=True)
    ]
    return planned_status(states, OWNER)


PLACED, APPROVED = ("Completed", "50 hosts ordered via HOTW"), ("Completed", "Order approved by AWS")
NOT_STARTED = ("NotStarted", None)


@pytest.mark.parametrize(
    ("milestones", "status"),
    [
        ((NOT_STARTED, NOT_STARTED, NOT_STARTED), (None, "EPIC")),
        ((("Blocked", "finance says no"), NOT_STARTED, NOT_STARTED), ("finance says no", "EPIC")),
        ((("PendingOnServiceOwner", "give a TPM"), NOT_STARTED, NOT_STARTED), ("give a TPM", OWNER)),
        ((PLACED, ("PendingOnEPIC", "0 of 3 approved"), NOT_STARTED), ("0 of 3 approved", "AWS")),
        ((PLACED, APPROVED, ("InProgress", "1 of 3 orders pending")), ("1 of 3 orders pending", "FMC")),
        ((PLACED, APPROVED, ("PendingOnEPIC", "5 hosts missing")), ("5 hosts missing", "EPIC")),
        ((("Completed", "by hand"), APPROVED, ("Completed", "3 of 3 orders delivered")), (None, None)),
    ],
)
def test_a_plan_s_first_open_hardware_milestone_is_the_status_7_17_13(
    milestones: tuple[tuple[str, str | None], ...], status: tuple[str | None, str | None]
) -> None:
    assert planned(*milestones) == status


SUCCESS = {"Status": "Success", "Reasoning": "fine"}


@pytest.mark.parametrize(
    ("live", "granted", "still_open", "lost", "latest", "status"),
    [
        (0, 0, 0, 0, {"Status": "Fail", "Reasoning": "no TPM"}, ("no TPM", "EPIC")),
        (2, 2, 2, 1, SUCCESS, ("1 order lost: hosts to be ordered anew", "EPIC")),
        (2, 2, 2, 3, SUCCESS, ("3 orders lost: hosts to be ordered anew", "EPIC")),
        (2, 2, 0, 0, {"Status": "PartialSuccess", "Reasoning": "30 of 50"}, ("30 of 50", "EPIC")),
        (3, 1, 3, 0, SUCCESS, ("1 of 3 orders approved", "AWS")),
        (4, 4, 1, 0, SUCCESS, ("1 of 4 orders pending", "FMC")),
        (4, 4, 0, 0, SUCCESS, ("50 hosts delivered", None)),
        (0, 0, 0, 0, SUCCESS, ("No hosts needed", None)),
        (0, 0, 0, 0, {}, ("HOTW has not run for this fleet yet", "EPIC")),
    ],
)
def test_without_a_plan_a_row_names_first_what_stands_in_the_way_7_17_16(
    live: int, granted: int, still_open: int, lost: int, latest: dict[str, str], status: tuple[str, str | None]
) -> None:
    totals = OrderTotals(
        live_hosts=80,
        live_orders=live,
        granted_orders=granted,
        open_orders=still_open,
        lost_orders=lost,
        approved_hosts=50,
        fulfilled_hosts=50,
    )
    assert unplanned_status(totals, latest.get("Status"), latest.get("Reasoning")) == status

"""The status of a fleet on the dashboard, and who has to act."""

from __future__ import annotations

import pytest

from services.hotw_svc.app.fleet_status import fleet_status
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.orders.order_book import OrderTotals

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
    ],
)
def test_a_line_names_first_what_stands_in_the_way(
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
    assert fleet_status(totals, latest.get("Status"), latest.get("Reasoning")) == status


def test_automation_is_written_as_auto_and_people_by_name() -> None:
    assert [user_of(name) for name in ("EPICAutomation", "HOTWAutomation", "auto", "jsmith")] == [
        "auto",
        "auto",
        "auto",
        "jsmith",
    ]

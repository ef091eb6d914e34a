"""What a dashboard line says, and whose turn it is."""

from __future__ import annotations

import pytest

from services.hotw_svc.app.queries.fleet_status import standing_of
from services.hotw_svc.app.refusals import ruled
from services.hotw_svc.app.runs.run import user_of
from services.hotw_svc.domain.errors import InvalidInput, RefusedByRule
from shared.errors import BadInput, Conflict

SUCCESS = {"Status": "Success", "Reasoning": "fine"}


@pytest.mark.parametrize(
    ("live", "granted", "still_open", "lost", "latest", "says"),
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
def test_a_line_says_what_stands_in_the_way_first(
    live: int, granted: int, still_open: int, lost: int, latest: dict[str, str], says: tuple[str, str | None]
) -> None:
    line = {
        "LiveOrders": live, "GrantedOrders": granted, "OpenOrders": still_open, "LostOrders": lost,
        "FulfilledHosts": 50,
    }  # fmt: skip
    assert standing_of(line, latest) == says


def test_automation_is_written_as_auto_and_people_by_name() -> None:
    assert [user_of(name) for name in ("EPICAutomation", "HOTWAutomation", "auto", "jsmith")] == [
        "auto", "auto", "auto", "jsmith",
    ]  # fmt: skip


def test_a_rules_refusal_is_a_conflict_and_a_wrong_value_bad_input() -> None:
    with pytest.raises(Conflict) as refused, ruled():
        raise RefusedByRule("order-transition", "no")
    assert refused.value.slug == "order-transition"
    with pytest.raises(BadInput) as wrong, ruled():
        raise InvalidInput("delivered-in-future", "later than now", pointer="/DeliveredAt")
    assert wrong.value.errors[0].pointer == "/DeliveredAt"

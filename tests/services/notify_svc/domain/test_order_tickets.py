"""7.11: the ticket of a service's orders for an Event, as executions open it, comment on it and raise it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify_svc.domain.tickets import (
    OrderComment,
    is_of_orders,
    lacking,
    order_comment,
    order_ticket,
    order_ticket_id,
    second_ticket_id,
    with_orders,
)
from shared.schemas.hotw_svc import HardwareFact
from tests.support.goldens import golden

PLACED = golden("hotw.order.placed", "hotw.order.placed").body()
ABOUT = {"EventId": "PD2024", "ServiceId": "FORTRESSService", "EventName": "Prime Day 2024"}
TICKET_ID = order_ticket_id("PD2024", "FORTRESSService")


def comment(number: int = 789, *, emergent: bool = False, **execution: Any) -> OrderComment | None:
    """The comment on an execution with this id."""
    changes = {"ExecutionId": number, "OrderType": "Emergent" if emergent else "Standard", **execution}
    return order_comment(HardwareFact.model_validate({**PLACED, "Execution": {**PLACED["Execution"], **changes}}))


def remark(number: int = 789, *, emergent: bool = False) -> OrderComment:
    found = comment(number, emergent=emergent)
    assert found is not None
    return found


def opened(*comments: OrderComment, **changes: Any) -> dict[str, Any]:
    made = order_ticket(TICKET_ID, ABOUT, comments, assignee="a@x.com", description="d")
    return made | changes


def marks(ticket: dict[str, Any]) -> list[str]:
    return [one["Text"].partition(":")[0] for one in ticket["Comments"]]


@pytest.mark.parametrize(
    ("emergent", "severity", "title"),
    [
        (False, 4, "Hardware order: FORTRESSService, Prime Day 2024"),
        (True, 2, "Emergent hardware order: FORTRESSService, Prime Day 2024"),
    ],
)
def test_the_first_execution_opens_a_ticket_of_its_type(emergent: bool, severity: int, title: str) -> None:
    """7.11.1, 7.11.2"""
    ticket = opened(remark(emergent=emergent))
    assert (ticket["Severity"], ticket["Title"], ticket["Status"]) == (severity, title, "Open")
    assert marks(ticket) == ["SPCO-789"]


def test_there_is_one_ticket_per_service_and_event() -> None:
    others = {order_ticket_id("PD2024", "Other"), order_ticket_id("BF2024", "FORTRESSService")}
    assert len({TICKET_ID, second_ticket_id("PD2024", "FORTRESSService"), *others}) == 4
    assert is_of_orders(opened(remark()))
    assert is_of_orders(opened(remark(), TicketId=second_ticket_id("PD2024", "FORTRESSService")))
    assert not is_of_orders(opened(remark(), TicketId="SIM-1"))


@pytest.mark.parametrize("status", ["Open", "InProgress", "Resolved", "Closed"])
def test_a_later_standard_execution_comments_whatever_became_of_the_ticket(status: str) -> None:
    """7.11.3"""
    after = with_orders(opened(remark(), Status=status), [remark(790)])
    assert after is not None
    assert (after["Severity"], after["Status"], marks(after)) == (4, status, ["SPCO-789", "SPCO-790"])


@pytest.mark.parametrize(
    ("severity", "status", "result"),
    [
        (4, "Open", 2),
        (4, "InProgress", 2),
        (3, "Open", 2),
        (2, "Open", 2),
        (1, "Open", 1),
        (2, "Closed", 2),
        (4, "Closed", None),
        (4, "Resolved", None),
    ],
)
def test_a_later_emergent_execution_raises_an_open_ticket(severity: int, status: str, result: int | None) -> None:
    """7.11.3a: one that was ended as less than Sev2 takes none; one that is severe enough takes a comment (7.11.3)."""
    after = with_orders(opened(remark(), Severity=severity, Status=status), [remark(790, emergent=True)])
    assert (None if after is None else after["Severity"]) == result
    if after is not None:
        assert marks(after) == ["SPCO-789", "SPCO-790"]
        assert after["Title"].startswith("Emergent hardware order: " if severity > 2 else "Hardware order: ")


def test_a_title_that_a_person_wrote_stays() -> None:
    after = with_orders(opened(remark(), Title="Ours"), [remark(790, emergent=True)])
    assert after is not None
    assert (after["Title"], after["Severity"]) == ("Ours", 2)


def test_an_ended_ticket_takes_the_standard_ones_of_a_batch() -> None:
    batch = [remark(790, emergent=True), remark(791)]
    after = with_orders(opened(remark(), Status="Closed"), batch)
    assert after is not None
    assert (after["Severity"], marks(after)) == (4, ["SPCO-789", "SPCO-791"])
    assert lacking(after, batch) == [batch[0]]


def test_the_same_execution_comments_once() -> None:
    assert with_orders(opened(remark()), [remark()]) is None
    raised = with_orders(opened(remark()), [remark(790, emergent=True)])
    assert raised is not None
    lowered = {**raised, "Severity": 4}
    assert with_orders(lowered, [remark(790, emergent=True)]) is None


def test_an_execution_that_ordered_nothing_opens_no_ticket() -> None:
    assert comment(OrderedHosts=0) is None


@given(
    st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6, unique_by=lambda one: one[0]),
    st.data(),
)
def test_any_order_and_any_repetition_end_alike(executions: list[tuple[int, bool]], data: st.DataObject) -> None:
    arriving = data.draw(st.permutations(executions)) + data.draw(st.lists(st.sampled_from(executions), max_size=4))
    ticket: dict[str, Any] | None = None
    for number, emergent in arriving:
        one = [remark(number, emergent=emergent)]
        ticket = opened(*one) if ticket is None else with_orders(ticket, one) or ticket
    assert ticket is not None
    emergent = any(emergent for _, emergent in executions)
    title = "Emergent hardware order" if emergent else "Hardware order"
    assert (ticket["Severity"], ticket["Title"].partition(":")[0]) == (2 if emergent else 4, title)
    assert sorted(marks(ticket)) == sorted(f"SPCO-{number}" for number, _ in executions)

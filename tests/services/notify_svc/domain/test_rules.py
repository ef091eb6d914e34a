"""Who is told, what they are told, when a ticket is opened and how far it can rise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify_svc.adapters.templates import Templates
from services.notify_svc.domain import delivery
from services.notify_svc.domain.order_summary import is_complete, line_of, merged, subject_of, summary_of
from services.notify_svc.domain.recipients import recipients_of
from services.notify_svc.domain.tickets import (
    commented,
    emergent_comment,
    emergent_ticket,
    emergent_ticket_id,
    escalated,
    with_comment_details,
)
from shared.errors import Conflict
from shared.schemas.goldens import golden
from shared.schemas.hotw_svc import HardwareFact, OrderType, ServiceOrders
from shared.trace import Trace

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
TRACE = Trace("c", "m", None)
PLACED = golden("hotw.order.placed", "hotw.order.placed").body()
EVENT = {"EventId": "PD2024", "EventName": "Prime Day 2024", "PeakStartDate": "2024-07-16"}


def fact(**changes: Any) -> HardwareFact:
    return HardwareFact.model_validate({**PLACED, **changes})


def told(executions: int) -> ServiceOrders:
    return ServiceOrders(service_id="FORTRESSService", ordering_executions=executions, ordered_hosts=50)


def test_an_owner_with_an_address_and_a_leader_with_an_alias_are_told_at_the_mail_domain() -> None:
    found = recipients_of(["fortress-owner@amazon.com", "jsmith"], "example.com")
    assert found.addresses == ("fortress-owner@amazon.com", "jsmith@example.com")
    assert found.unknown == ()


def test_an_alias_without_a_mail_domain_is_unknown_and_one_person_is_told_once() -> None:
    assert recipients_of(["a@x.com", "a@x.com", None, "jsmith"], None) == recipients_of(["a@x.com", "jsmith"], None)
    assert recipients_of(["jsmith"], None).unknown == ("jsmith",)


def test_a_line_holds_the_hosts_of_each_zone_that_this_run_ordered() -> None:
    line = line_of(fact())
    assert line is not None
    assert line["OrderedHosts"] == 50
    assert {zone["AvailabilityZone"]: zone["Hosts"] for zone in line["Zones"]} == {
        "us-east-1a": 20,
        "us-east-1b": 20,
        "us-east-1c": 10,
    }


def test_orders_of_an_earlier_run_are_not_in_this_runs_summary() -> None:
    assert line_of(fact(RunId=6)) is None


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_facts_in_any_order_and_twice_make_one_digest(order: list[int], again: list[int]) -> None:
    base = line_of(fact()) or {}
    lines = [{**base, "FleetId": f"F{number}"} for number in range(6)]
    digest = None
    for number in [*order, *again]:
        digest = merged(digest, [lines[number]])
    assert digest is not None
    assert [line["FleetId"] for line in digest["Fleets"]] == [f"F{number}" for number in range(6)]
    assert digest["Merges"] == 6
    assert is_complete(digest, told(6))
    assert not is_complete(digest, told(7))


def test_the_summary_says_what_comes_after_the_peak_begins() -> None:
    line = line_of(fact()) or {}
    summary = summary_of(
        service="FORTRESSService", event={**EVENT, "PeakStartDate": line["DueBy"]}, order_type=OrderType.EMERGENT,
        run_id=5, fleets=[line],
    )  # fmt: skip
    assert summary["Late"] == ["FORTRESSService-NA-X0"]
    assert subject_of(summary) == "EMERGENT hardware order: 50 hosts for FORTRESSService, Prime Day 2024"


def test_the_order_mail_reads_well_as_text_and_escapes_html() -> None:
    line = {**(line_of(fact()) or {}), "Reasoning": "a < b & c"}
    summary = summary_of(
        service="FORTRESSService", event=EVENT, order_type=OrderType.STANDARD, run_id=5, fleets=[line]
    )  # fmt: skip
    text, html = Templates().mail("hardware_order", subject_of(summary), summary)
    assert "50 hosts were ordered for FORTRESSService for Prime Day 2024 by run 5." in text
    assert "us-east-1c: 10" in text
    assert "a < b & c" in text
    assert "a &lt; b &amp; c" in html
    assert "LATE" not in text


def test_an_emergent_ticket_is_sev2_and_one_per_service_and_event() -> None:
    comment = emergent_comment(fact())
    assert comment is not None
    ticket = emergent_ticket(
        event_id="PD2024", service_id="FORTRESSService", event_name="Prime Day 2024", assignee="a@x.com",
        description="d", comments=[comment],
    )  # fmt: skip
    assert (ticket["Severity"], ticket["Status"]) == (2, "Open")
    assert ticket["TicketId"] == emergent_ticket_id("PD2024", "FORTRESSService")
    assert (
        emergent_ticket_id("PD2024", "Other") != ticket["TicketId"] != emergent_ticket_id("BF2024", "FORTRESSService")
    )


def test_the_same_execution_comments_once() -> None:
    comment = emergent_comment(fact()) or {}
    assert commented({"Comments": [comment]}, [comment]) is None
    other = {**comment, "Text": comment["Text"].replace("SPCO-789", "SPCO-790")}
    assert commented({"Comments": [comment]}, [comment, other]) == {"Comments": [comment, other]}


def test_an_execution_that_ordered_nothing_opens_no_ticket() -> None:
    execution = {**PLACED["Execution"], "OrderedHosts": 0}
    assert emergent_comment(fact(Execution=execution)) is None


@pytest.mark.parametrize(("present", "asked", "result"), [(3, None, 2), (3, 1, 1), (2, None, 1)])
def test_a_severity_rises(present: int, asked: int | None, result: int) -> None:
    ticket = escalated({"TicketId": "T", "Severity": present}, asked, "it burns", "jsmith", NOW)
    assert ticket["Severity"] == result
    assert ticket["Comments"][-1]["Text"] == f"Escalated from severity {present} to {result}: it burns"


@pytest.mark.parametrize(("present", "asked"), [(1, None), (2, 2), (2, 3), (1, 1)])
def test_what_is_no_rise_is_refused(present: int, asked: int | None) -> None:
    with pytest.raises(Conflict):
        escalated({"TicketId": "T", "Severity": present}, asked, None, "jsmith", NOW)


def test_a_comment_gets_its_writer_and_time_unless_it_has_them() -> None:
    body = with_comment_details({"Comments": [{"Text": "a"}, {"Text": "b", "User": "u"}, 5]}, "jsmith", NOW)
    stamp = "2024-06-15T09:00:00.000Z"
    assert body["Comments"] == [
        {"User": "jsmith", "Timestamp": stamp, "Text": "a"}, {"User": "u", "Timestamp": stamp, "Text": "b"}, 5,
    ]  # fmt: skip


def waiting() -> dict[str, Any]:
    made = delivery.pending(
        kind="HardwareOrder", of=("5", "S"), cause="c", subject="s", template="hardware_order", context={}, RunId=5
    )
    return delivery.traced(made, TRACE)


def test_a_notification_is_one_per_cause_and_keeps_its_trace() -> None:
    assert waiting()["NotificationId"] == "HardwareOrder.5.S"
    assert delivery.trace_of(waiting()) == TRACE
    assert len(delivery.notification_id("HardwareOrder", "5", "S" * 128)) <= 128


def test_while_somebody_tries_it_nobody_else_does() -> None:
    held = delivery.claimed(waiting(), NOW)
    assert delivery.is_due(waiting(), NOW)
    assert not delivery.is_due(held, NOW + delivery.LEASE - timedelta(seconds=1))
    assert delivery.is_due(held, NOW + delivery.LEASE), "a process that died in mid-attempt does not keep it for ever"


def test_the_delay_doubles_and_after_the_last_attempt_it_is_failed_with_the_reason() -> None:
    state, moment, delays = waiting(), NOW, []
    while state["Status"] == "Pending":
        state = delivery.deferred(delivery.claimed(state, moment), "452 busy", moment)
        following = state[delivery.DELIVERY].get("NextAttempt")
        if following:
            later = datetime.fromisoformat(following)
            delays.append((later - moment).total_seconds())
            moment = later
    assert delays[:4] == [5, 10, 20, 40]
    assert max(delays) == 600
    assert state["Status"] == "Failed"
    assert "452 busy" in state["Reason"]
    assert state["Attempts"] == delivery.ATTEMPTS == len(delays) + 1

"""The recipients of mails, the order summary, tickets and their severity, and the attempts to send a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify_svc.adapters.templates import Templates
from services.notify_svc.domain.notification import ATTEMPTS, Notification, notification_id, recipients_of
from services.notify_svc.domain.order_summary import Line, is_complete, line_of, merged, summary_mail
from services.notify_svc.resources.ticket import TICKETS, escalated
from shared.cause import Cause
from shared.errors import Conflict
from shared.resources import Others
from shared.schemas.hotw_svc import HardwareFact, RunFact, ServiceOrders
from shared.schemas.notify_svc.ticket import EscalateTicket, Ticket
from shared.trace import Trace
from tests.support.goldens import golden

NOW = datetime(2024, 6, 15, 9, tzinfo=UTC)
TRACE = Trace("c", "m", None)
PLACED = golden("hotw.order.placed", "hotw.order.placed").body()
COMPLETED = golden("hotw.run.completed", "hotw.run.completed").body()
EVENT = {"EventId": "PD2024", "EventName": "Prime Day 2024", "PeakStartDate": "2024-07-16"}


def fact(**changes: Any) -> HardwareFact:
    return HardwareFact.model_validate({**PLACED, **changes})


def orders(executions: int) -> ServiceOrders:
    return ServiceOrders(service_id="FORTRESSService", ordering_executions=executions, ordered_hosts=50)


def test_a_leader_with_an_alias_gets_an_address_in_the_mail_domain() -> None:
    found = recipients_of(["fortress-owner@amazon.com", "jsmith"], "example.com")
    assert found.addresses == ("fortress-owner@amazon.com", "jsmith@example.com")
    assert found.unknown == ()


def test_an_alias_without_a_mail_domain_is_unknown_and_nobody_gets_a_mail_twice() -> None:
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
    base = line_of(fact())
    assert base is not None
    lines: list[Any] = [{**base, "FleetId": f"F{number}"} for number in range(6)]
    digest = None
    for number in [*order, *again]:
        digest = merged(digest, [lines[number]])
    assert digest is not None
    assert [line["FleetId"] for line in digest["Fleets"]] == [f"F{number}" for number in range(6)]
    assert digest["Merges"] == 6
    assert is_complete(digest, orders(6))
    assert not is_complete(digest, orders(7))


def run(order_type: str) -> RunFact:
    return RunFact.model_validate({**COMPLETED, "RunId": 5, "OrderType": order_type})


def summary(order_type: str, event: dict[str, Any], line: Line) -> Notification:
    return summary_mail(run(order_type), "FORTRESSService", event=event, fleets=[line], trace=TRACE)


def test_the_summary_names_what_comes_after_the_peak_begins() -> None:
    line = line_of(fact())
    assert line is not None
    mail = summary("Emergent", {**EVENT, "PeakStartDate": line["DueBy"]}, line)
    assert mail.context["Late"] == ["FORTRESSService-NA-X0"]
    assert mail.subject == "EMERGENT hardware order: 50 hosts for FORTRESSService, Prime Day 2024"


def test_the_order_mail_reads_well_as_text_and_escapes_html() -> None:
    line = line_of(fact())
    assert line is not None
    mail = summary("Standard", EVENT, {**line, "Reasoning": "a < b & c"})
    text, html = Templates().mail(mail.template, mail.subject, mail.context)
    assert "50 hosts were ordered for FORTRESSService for Prime Day 2024 by run 5." in text
    assert "us-east-1c: 10" in text
    assert "a < b & c" in text
    assert "a &lt; b &amp; c" in html
    assert "LATE" not in text


CAUSE = Cause(NOW, "jsmith", Trace.begin())


@pytest.mark.parametrize(
    ("present", "asked", "result"), [(3, None, 2), (3, 1, 1), (2, None, 1), (1, None, 1), (1, 1, 1)]
)
def test_a_severity_rises_to_one_and_stays_there(present: int, asked: int | None, result: int) -> None:
    """8.4.4, 8.4.4a."""
    command = EscalateTicket(ticket_id="T", severity=asked, reason="it burns")
    ticket = escalated(Ticket(ticket_id="T", title="t", severity=present), command, CAUSE)
    assert ticket.severity == result
    assert ticket.comments
    assert ticket.comments[-1].text == f"Escalated from severity {present} to {result}: it burns"


@pytest.mark.parametrize(("present", "asked"), [(2, 2), (2, 3), (1, 2)])
def test_what_is_no_rise_is_refused(present: int, asked: int | None) -> None:
    ticket, command = Ticket(ticket_id="T", title="t", severity=present), EscalateTicket(ticket_id="T", severity=asked)
    with pytest.raises(Conflict):
        escalated(ticket, command, CAUSE)


def test_a_comment_gets_its_writer_and_time_unless_it_has_them() -> None:
    asked = {"Title": "t", "Comments": [{"Text": "a"}, {"Text": "b", "User": "u"}]}
    assert TICKETS.on_write is not None
    ticket = TICKETS.on_write(None, Ticket.model_validate(asked), Others({}, (), {}, None), CAUSE)
    stamp = "2024-06-15T09:00:00.000Z"
    assert ticket.wire()["Comments"] == [
        {"User": "jsmith", "Timestamp": stamp, "Text": "a"},
        {"User": "u", "Timestamp": stamp, "Text": "b"},
    ]


def pending(**changes: Any) -> Notification:
    given = {"id": "N", "kind": "K", "cause": "c", "subject": "s", "template": "t", "context": {}, "trace": TRACE}
    return Notification(**(given | changes))


def test_a_stored_notification_is_read_as_it_was() -> None:
    full = pending(run_id=5, event_id="E", service_id="S", ticket_id="T", context={"A": [1]}, not_before=NOW)
    tried = full.attempted()
    for one in (full, tried, tried.deferred("busy", NOW), tried.failed("no"), tried.sent(["a@x"], "note", NOW)):
        assert Notification.model_validate(one.wire()) == one


def test_the_id_of_a_notification_names_its_cause_or_is_a_hash() -> None:
    assert notification_id("HardwareOrder", "5", "S") == "HardwareOrder.5.S"
    assert len(notification_id("HardwareOrder", "5", "S" * 128)) <= 128


def test_a_deferred_mail_is_due_at_its_time_and_fails_after_the_last_attempt() -> None:
    mail = pending()
    assert mail.is_due(NOW)
    for _ in range(ATTEMPTS - 1):
        mail = mail.attempted().deferred("452 busy", NOW)
        assert mail.is_due(NOW)
        assert not mail.is_due(NOW - timedelta(seconds=1))
    failed = mail.attempted().deferred("452 busy", NOW)
    assert failed.status == "Failed"
    assert not failed.is_due(NOW)
    assert failed.reason == "given up after 12 attempts: 452 busy"

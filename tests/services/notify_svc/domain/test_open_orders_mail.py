"""The mail about fleets withdrawn from an event: its text, its lines, and which line is in which mail (8.1.18a)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.notify_svc.adapters.templates import Templates
from services.notify_svc.domain.notification import Notification
from services.notify_svc.domain.open_orders import Line, first_mail, line_of, mail_id, missing_in, with_lines
from shared.schemas.hotw_svc import HardwareFact
from shared.trace import Trace
from tests.support.goldens import golden

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REVIEWED = golden("hotw.order.reviewed", "hotw.order.reviewed").body()
EVENT = {"EventId": "PD2024", "EventName": "Prime Day 2024"}


def fact(fleet: str = "F", version: int = 4, **changes: Any) -> HardwareFact:
    orders = [{**REVIEWED["Orders"][0], "FulfilledHosts": 5}, *REVIEWED["Orders"][1:]]
    return HardwareFact.model_validate(
        {
            **REVIEWED,
            "FleetId": fleet,
            "OrdersVersionId": version,
            "Orders": orders,
            "WithdrawalReason": "PD2024 is not active.",
            "FulfillmentIds": ["F5-42-1", "F5-42-2"],
            **changes,
        }
    )


def line(fleet: str = "F", version: int = 4) -> Line:
    made = line_of(fact(fleet, version))
    assert made is not None
    return made


def mail(*lines: Line, number: int = 1) -> Notification:
    until = NOW + timedelta(seconds=30)
    return first_mail(event=EVENT, service_id="S", number=number, lines=lines, until=until, trace=Trace("c"))


def test_a_line_names_the_orders_the_fact_is_about_and_no_others() -> None:
    assert [order["FulfillmentId"] for order in line()["Orders"]] == ["F5-42-1", "F5-42-2"]
    assert line()["Orders"][0] == {
        "FulfillmentId": "F5-42-1",
        "Status": "Approved",
        "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1a",
        "AvailabilityZone": "us-east-1a",
        "Hosts": 20,
        "Delivered": 5,
        "DueBy": "2024-06-29",
    }


def test_a_decision_on_an_order_is_no_line() -> None:
    assert line_of(fact(WithdrawalReason=None)) is None
    assert line_of(fact(FulfillmentIds=[])) is None


def test_a_mail_waits_until_its_time_and_counts_what_it_holds() -> None:
    made = mail(line("B"), line("A"))
    assert not made.is_due(NOW + timedelta(seconds=29))
    assert made.is_due(NOW + timedelta(seconds=30))
    assert made.id == "InactiveEventOrders.PD2024.S.1"
    assert made.subject == "Prime Day 2024: 4 approved orders of S still open for fleets that no longer take part"
    assert (made.context["OpenOrders"], made.context["HostsToCome"]) == (4, 70)
    assert [fleet["FleetId"] for fleet in made.context["Fleets"]] == ["A", "B"]


def test_one_order_is_one_order() -> None:
    only = line_of(fact(FulfillmentIds=["F5-42-3"]))
    assert only is not None
    assert mail(only).subject == "Prime Day 2024: 1 approved order of S still open for fleets that no longer take part"


def test_a_waiting_mail_takes_another_fleet_in_and_keeps_its_time() -> None:
    first = mail(line("A"))
    grown = with_lines(first, [line("A"), line("B")])
    assert grown is not None
    assert [fleet["FleetId"] for fleet in grown.context["Fleets"]] == ["A", "B"]
    assert "4 approved orders" in grown.subject
    assert grown.not_before == first.not_before
    assert with_lines(grown, [line("B"), line("A")]) is None


def test_a_mail_that_was_tried_takes_nothing_in_ever_after() -> None:
    tried = mail(line("A")).attempted()
    for after in (
        tried,
        tried.deferred("452 busy", NOW),
        tried.sent(["a@x.com"], None, NOW),
        tried.failed("no address"),
    ):
        assert with_lines(after, [line("B")]) is None
        assert missing_in(after, [line("A"), line("B")]) == [line("B")]


def test_a_newer_line_of_a_fleet_takes_the_place_of_the_older_and_never_the_reverse() -> None:
    grown = with_lines(mail(line("A", 4)), [line("A", 7)])
    assert grown is not None
    assert [fleet["OrdersVersionId"] for fleet in grown.context["Fleets"]] == [7]
    assert missing_in(grown, [line("A", 4)]) == []


Lines = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 4)), max_size=4)


@given(st.lists(st.one_of(Lines, st.just("attempt")), max_size=12))
def test_each_line_is_in_one_mail_at_most_and_none_is_lost(steps: list[list[tuple[str, int]] | str]) -> None:
    """Whatever is added again, and whenever attempts begin."""
    mails: list[Notification] = []
    added: set[tuple[str, int]] = set()

    def add(lines: list[Line]) -> None:
        for number, present in enumerate(mails):
            mails[number] = with_lines(present, lines) or present
            lines = missing_in(mails[number], lines)
        if lines:
            mails.append(mail(*lines, number=len(mails) + 1))

    for step in steps:
        if isinstance(step, str):
            mails = [one.attempted() if one.is_untried else one for one in mails]
        else:
            add([line(fleet, version) for fleet, version in step])
            added |= set(step)
    present = [(fleet["FleetId"], fleet["OrdersVersionId"]) for one in mails for fleet in one.context["Fleets"]]
    assert len(present) == len(set(present))
    assert set(present) <= added
    assert len(mails) <= steps.count("attempt") + 1
    for fleet in {fleet for fleet, _ in added}:
        assert max(v for f, v in present if f == fleet) == max(v for f, v in added if f == fleet)
    before = list(mails)
    add([line(fleet, version) for fleet, version in sorted(added)])
    assert mails == before


def test_ids_with_dots_never_make_two_services_share_a_mail() -> None:
    assert mail_id("PD.2024", "S", 1) != mail_id("PD", "2024.S", 1)
    assert mail_id("PD2024", "S", 1) != mail_id("PD2024", "S", 2)
    assert len(mail_id("E" * 128, "S" * 128, 1)) <= 128


def test_the_mail_names_the_orders_the_deliveries_the_due_dates_and_what_to_do() -> None:
    odd = line("Odd")
    odd["Orders"][0]["AutoScalingGroupName"] = "a<b"
    made = mail(line("FORTRESSService-NA-X0"), odd)
    text, html = Templates().mail(made.template, made.subject, made.context)
    assert "The fleets below no longer take part in Prime Day 2024." in text
    assert "FORTRESSService-NA-X0: PD2024 is not active." in text
    assert "4 of S are still open, with 70 hosts to come" in text
    assert (
        "F5-42-1 (Approved): 20 hosts in us-east-1a (FORTRESSService/NA/X0/Prod/1a), 5 delivered, due by 2024-06-29"
        in text
    )
    assert 'PUT /hotw/order/F5-42-1  {"Decision": "Cancel"}' in text
    assert 'PUT /event/PD2024  {"IsActive": true}' in text
    assert "a&lt;b" in html
    assert "F5-42-2 (Approved)" in html

"""The mail about an event that stopped running: what it says, which facts it is made of, what is in which mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.notify_svc.adapters.templates import Templates
from services.notify_svc.domain import delivery
from services.notify_svc.domain.inactive_event import Line, line_of, missing_in, notification_id, opened, with_lines
from shared.schemas.goldens import golden
from shared.schemas.hotw_svc import HardwareFact

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REVIEWED = golden("hotw.order.reviewed", "hotw.order.reviewed").body()
EVENT = {"EventId": "PD2024", "EventName": "Prime Day 2024"}


def fact(fleet: str = "F", version: int = 4, **changes: Any) -> HardwareFact:
    orders = [{**REVIEWED["Orders"][0], "FulfilledHosts": 5}, *REVIEWED["Orders"][1:]]
    return HardwareFact.model_validate(
        {**REVIEWED, "FleetId": fleet, "OrdersVersionId": version, "Orders": orders, "EventIsActive": False,
         "FulfillmentIds": ["F5-42-1", "F5-42-2"], **changes}
    )  # fmt: skip


def line(fleet: str = "F", version: int = 4) -> Line:
    made = line_of(fact(fleet, version))
    assert made is not None
    return made


def mail(*lines: Line, number: int = 1) -> dict[str, Any]:
    return opened(event=EVENT, service_id="S", number=number, lines=lines, until=NOW + timedelta(seconds=30))


def context(notification: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = notification[delivery.DELIVERY]["Context"]
    return said


def test_a_line_names_the_orders_the_fact_is_about_and_no_others() -> None:
    assert [order["FulfillmentId"] for order in line()["Orders"]] == ["F5-42-1", "F5-42-2"]
    assert line()["Orders"][0] == {
        "FulfillmentId": "F5-42-1", "Status": "Approved", "AutoScalingGroupName": "FORTRESSService/NA/X0/Prod/1a",
        "AvailabilityZone": "us-east-1a", "Hosts": 20, "Delivered": 5, "DueBy": "2024-06-29",
    }  # fmt: skip


def test_a_decision_on_an_order_is_no_line() -> None:
    assert line_of(fact(EventIsActive=None)) is None
    assert line_of(fact(EventIsActive=True)) is None
    assert line_of(fact(FulfillmentIds=[])) is None


def test_a_mail_waits_until_its_time_and_counts_what_it_holds() -> None:
    made = mail(line("B"), line("A"))
    assert not delivery.is_due(made, NOW + timedelta(seconds=29))
    assert delivery.is_due(made, NOW + timedelta(seconds=30))
    assert made["NotificationId"] == "OrdersOfInactiveEvent.PD2024.S.1"
    assert made["Subject"] == "Prime Day 2024 is off, 4 approved orders of S still open"
    assert (context(made)["OpenOrders"], context(made)["HostsToCome"]) == (4, 70)
    assert [fleet["FleetId"] for fleet in context(made)["Fleets"]] == ["A", "B"]


def test_one_order_is_one_order() -> None:
    only = line_of(fact(FulfillmentIds=["F5-42-3"]))
    assert only is not None
    assert mail(only)["Subject"] == "Prime Day 2024 is off, 1 approved order of S still open"


def test_a_waiting_mail_takes_another_fleet_in_and_keeps_its_time() -> None:
    first = mail(line("A"))
    grown = with_lines(first, [line("A"), line("B")])
    assert grown is not None
    assert [fleet["FleetId"] for fleet in context(grown)["Fleets"]] == ["A", "B"]
    assert "4 approved orders" in grown["Subject"]
    assert grown[delivery.DELIVERY]["NextAttempt"] == first[delivery.DELIVERY]["NextAttempt"]
    assert with_lines(grown, [line("B"), line("A")]) is None


def test_a_mail_that_was_tried_takes_nothing_in_ever_after() -> None:
    held = delivery.claimed(mail(line("A")), NOW)
    put_back = delivery.deferred(held, "452 busy", NOW)
    sent = delivery.sent(held, ["a@x.com"], None, NOW)
    for state in (held, put_back, sent, delivery.failed(held, "no address")):
        assert with_lines(state, [line("B")]) is None
        assert missing_in(state, [line("A"), line("B")]) == [line("B")]


def test_a_newer_line_of_a_fleet_takes_the_place_of_the_older_and_not_the_other_way_round() -> None:
    grown = with_lines(mail(line("A", 4)), [line("A", 7)])
    assert grown is not None
    assert [fleet["OrdersVersionId"] for fleet in context(grown)["Fleets"]] == [7]
    assert missing_in(grown, [line("A", 4)]) == []


Lines = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 4)), max_size=4)


@given(st.lists(st.one_of(Lines, st.just("claim")), max_size=12))
def test_whatever_is_told_again_and_whenever_mails_are_claimed_each_line_is_in_one_mail_at_most_and_none_is_lost(
    steps: list[list[tuple[str, int]] | str],
) -> None:
    mails: list[dict[str, Any]] = []
    told: set[tuple[str, int]] = set()

    def tell(lines: list[Line]) -> None:
        for number, present in enumerate(mails):
            mails[number] = with_lines(present, lines) or present
            lines = missing_in(mails[number], lines)
        if lines:
            mails.append(mail(*lines, number=len(mails) + 1))

    for step in steps:
        if isinstance(step, str):
            mails = [delivery.claimed(one, NOW) if delivery.is_untried(one) else one for one in mails]
        else:
            tell([line(fleet, version) for fleet, version in step])
            told |= set(step)
    held = [(fleet["FleetId"], fleet["OrdersVersionId"]) for one in mails for fleet in context(one)["Fleets"]]
    assert len(held) == len(set(held))
    assert set(held) <= told
    assert len(mails) <= steps.count("claim") + 1
    for fleet in {fleet for fleet, _ in told}:
        assert max(v for f, v in held if f == fleet) == max(v for f, v in told if f == fleet)
    before = list(mails)
    tell([line(fleet, version) for fleet, version in sorted(told)])
    assert mails == before


def test_ids_with_dots_never_make_two_services_share_a_mail() -> None:
    assert notification_id("PD.2024", "S", 1) != notification_id("PD", "2024.S", 1)
    assert notification_id("PD2024", "S", 1) != notification_id("PD2024", "S", 2)
    assert len(notification_id("E" * 128, "S" * 128, 1)) <= 128


def test_the_mail_says_which_orders_what_was_delivered_when_they_are_due_and_what_to_do() -> None:
    odd = line("Odd")
    odd["Orders"][0]["AutoScalingGroupName"] = "a<b"
    made = mail(line("FORTRESSService-NA-X0"), odd)
    text, html = Templates().mail(made[delivery.DELIVERY]["Template"], made["Subject"], context(made))
    assert "Prime Day 2024 was made inactive or deleted." in text
    assert "4 of S are still open, with 70 hosts to come" in text
    assert (
        "F5-42-1 (Approved): 20 hosts in us-east-1a (FORTRESSService/NA/X0/Prod/1a), 5 delivered, due by 2024-06-29"
        in text
    )
    assert 'PUT /hotw/order/F5-42-1  {"Decision": "Cancel"}' in text
    assert 'PUT /event/PD2024  {"IsActive": true}' in text
    assert "a&lt;b" in html
    assert "F5-42-2 (Approved)" in html

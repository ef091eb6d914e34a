"""People are told once per cause, whatever comes twice, in another order, to two replicas, or dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.notify_svc.app.send import Mailbox
from services.notify_svc.domain.delivery import LEASE, Mail
from shared.documents.contract import Change
from tests.services.notify_svc.stores.conftest import CLOCK, SERVICE, Post, Site, cause, completed, placed

Smtp = Callable[[], Mailbox]


async def test_a_summary_waits_for_the_run_and_all_of_its_facts(site: Site, smtp: Smtp) -> None:
    one = await site.process(smtp())
    await one.gather.placed([(placed(0), cause())])
    await one.gather.completed([(completed(2), cause())])
    assert await one.all() == []
    await one.gather.placed([(placed(1), cause())])
    [summary] = await one.all()
    assert summary.state["Subject"].startswith("Hardware order: 100 hosts for FORTRESSService")


@pytest.mark.parametrize("order", ["facts first", "run first"])
async def test_whatever_comes_first_or_twice_one_summary_is_sent(
    order: str, site: Site, smtp: Smtp, post: Post
) -> None:
    one = await site.process(smtp())
    facts = [one.gather.placed, [(placed(number), cause()) for number in range(3)]]
    run = [one.gather.completed, [(completed(3), cause())]]
    for hear, what in [facts, run, facts, run] if order == "facts first" else [run, facts, run, facts]:
        await hear(what)  # type: ignore[operator]
    await one.sender.send_due()
    await one.sender.send_due()
    [(recipients, mail)] = post.taken
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert "150 hosts" in mail["Subject"]
    assert mail["Date"].datetime == CLOCK.now()
    [told] = await site.told("notification.sent")
    assert told.trace.correlation_id == "a-first-call"
    assert "_Delivery" not in told.body()


async def test_two_replicas_that_take_in_a_services_facts_at_once_lose_none(site: Site, smtp: Smtp) -> None:
    one, two = await site.process(smtp()), await site.process(smtp())
    await asyncio.gather(*((one, two)[number % 2].gather.placed([(placed(number), cause())]) for number in range(20)))
    await one.gather.completed([(completed(20), cause())])
    [summary] = await one.all()
    assert summary.state["_Delivery"]["Context"]["OrderedHosts"] == 20 * 50


async def test_two_senders_send_each_mail_once(site: Site, smtp: Smtp, post: Post) -> None:
    one, two = await site.process(smtp()), await site.process(smtp())
    for number in range(10):
        service = f"S{number}"
        await one.services.put([(service, 1, {"ServiceId": service, "Owner": f"{service}@x.com", "VersionId": 1})])
        await one.gather.placed([(placed(0, service=service), cause())])
        await one.gather.completed([(completed(1, service=service), cause())])
        # Another run's end replaces nothing: each service's run fact is the same run's, told again with its service.
        await one.gather.placed([(placed(0, service=service), cause())])
    waiting = len(await one.all())
    await asyncio.gather(one.sender.send_due(), two.sender.send_due())
    ids = [mail["Message-ID"] for _, mail in post.taken]
    assert len(ids) == len(set(ids)) == waiting > 0


async def test_a_sender_that_dies_after_sending_leaves_a_repeat_under_the_same_id(
    site: Site, smtp: Smtp, post: Post
) -> None:
    class Dying:
        async def send(self, mail: Mail) -> None:
            await smtp().send(mail)
            raise asyncio.CancelledError  # the process ends before it notes anything

    one, two = await site.process(Dying()), await site.process(smtp())
    await one.gather.placed([(placed(), cause())])
    await one.gather.completed([(completed(1), cause())])
    with pytest.raises(asyncio.CancelledError):
        await one.sender.send_due()
    await two.sender.send_due()
    assert len(post.taken) == 1, "while the lease holds nobody else tries"
    site.real_time.pass_by(LEASE.total_seconds())
    await two.sender.send_due()
    assert [mail["Message-ID"] for _, mail in post.taken] == ["<HardwareOrder.5.FORTRESSService@epic>"] * 2
    assert [item.state["Status"] for item in await two.all()] == ["Sent"]


async def test_a_mail_that_is_put_off_is_tried_again_and_every_attempt_is_kept(
    site: Site, smtp: Smtp, post: Post
) -> None:
    one = await site.process(smtp())
    await one.gather.placed([(placed(), cause())])
    await one.gather.completed([(completed(1), cause())])
    post.refuse = "452 busy"
    await one.sender.send_due()
    [waiting] = await one.all()
    assert (waiting.state["Status"], waiting.state["Attempts"]) == ("Pending", 1)
    assert "452 busy" in waiting.state["Reason"]
    post.refuse = None
    await one.sender.send_due()
    assert post.taken == [], "not before its delay is over"
    site.real_time.pass_by(5)
    await one.sender.send_due()
    assert len(post.taken) == 1
    log = (await one.notifications.history(waiting.key)).items
    assert [item.message for item in log][:4] == [
        "sent to fortress-owner@amazon.com, jsmith@example.com", "attempt", "452 busy", "attempt",
    ]  # fmt: skip


async def test_a_mail_that_is_refused_for_good_is_failed_and_told_of(site: Site, smtp: Smtp, post: Post) -> None:
    one = await site.process(smtp())
    await one.gather.placed([(placed(), cause())])
    await one.gather.completed([(completed(1), cause())])
    post.refuse = "554 no such thing"
    await one.sender.send_due()
    [told] = await site.told("notification.failed")
    assert told.body()["Reason"] == "554 no such thing"


async def test_orders_of_a_service_that_was_not_heard_of_yet_are_mailed_once_it_is(
    site: Site, smtp: Smtp, post: Post
) -> None:
    """Its topic may be behind the orders': whoever read it was killed, and nobody has its share yet."""
    one = await site.process(smtp())
    await one.gather.placed([(placed(service="LateService"), cause())])
    await one.gather.completed([(completed(1, service="LateService"), cause())])
    await one.sender.send_due()
    [waiting] = await one.all()
    assert (waiting.state["Status"], waiting.state["Reason"]) == ("Pending", "LateService is not known here yet")
    await one.services.put([("LateService", 1, {"ServiceId": "LateService", "Owner": "late"})])
    site.real_time.pass_by(5)
    await one.sender.send_due()
    assert [recipients for recipients, _ in post.taken] == [["late@example.com"]]


async def test_a_service_without_owner_and_leader_is_a_failure_that_names_the_remedy(
    site: Site, smtp: Smtp, post: Post
) -> None:
    one = await site.process(smtp())
    await one.services.put([("Nobodys", 1, {"ServiceId": "Nobodys"})])
    await one.gather.placed([(placed(service="Nobodys"), cause())])
    await one.gather.completed([(completed(1, service="Nobodys"), cause())])
    await one.sender.send_due()
    [failed] = await one.all()
    assert failed.state["Reason"] == "no address: the service has no owner; give the service an Owner"
    assert post.taken == []


async def test_a_leader_without_an_address_is_said(site: Site, smtp: Smtp, post: Post) -> None:
    one = await site.process(smtp(), mail_domain=None)
    await one.gather.placed([(placed(), cause())])
    await one.gather.completed([(completed(1), cause())])
    await one.sender.send_due()
    [(recipients, _)] = post.taken
    assert recipients == ["fortress-owner@amazon.com"]
    [summary] = await one.all()
    assert summary.state["Reason"] == "no address for jsmith; set EPIC_MAIL_DOMAIN"


async def test_emergent_orders_open_one_ticket_and_later_ones_comment_on_it(site: Site, smtp: Smtp, post: Post) -> None:
    one, two = await site.process(smtp()), await site.process(smtp())
    facts = [(placed(number, emergent=True), cause()) for number in range(6)]
    await asyncio.gather(
        one.emergent.placed(facts[:4]), two.emergent.placed(facts[2:]), one.emergent.placed([(placed(9), cause())])
    )
    [ticket] = (await one.tickets.list({"EventId": "PD2024"})).items
    assert (ticket.state["Severity"], ticket.state["Assignee"]) == (2, "fortress-owner@amazon.com")
    spoken_of = [comment["Text"].partition(":")[0] for comment in ticket.state["Comments"]]
    assert sorted(spoken_of) == [f"SPCO-{789 + number}" for number in range(6)]
    assert len({message.id for message in await site.told("ticket.created")}) == 1
    await one.sender.send_due()
    assert [mail["Subject"].partition(" ")[0] for _, mail in post.taken] == ["Sev2"]


@pytest.mark.parametrize("first", ["the order", "the service"])
async def test_an_emergent_ticket_is_its_services_owners_whichever_is_heard_of_first(
    first: str, site: Site, smtp: Smtp
) -> None:
    one = await site.process(smtp())
    new = SERVICE | {"ServiceId": "NewService", "Owner": "new-owner@example.com"}
    fact = [(placed(service="NewService", emergent=True), cause())]
    if first == "the order":
        await one.emergent.placed(fact)
        [waiting] = (await one.tickets.list({"ServiceId": "NewService"})).items
        assert "Assignee" not in waiting.state
    for _ in range(2):
        await one.services.put([("NewService", 1, new)])
        await one.emergent.heard_of(["NewService", "FORTRESSService"], cause())
    await one.emergent.placed(fact)
    [ticket] = (await one.tickets.list({"ServiceId": "NewService"})).items
    assert ticket.state["Assignee"] == "new-owner@example.com"
    assert ticket.version == (2 if first == "the order" else 1)


async def test_a_service_heard_of_takes_no_ticket_that_is_somebodys_or_was_opened_by_hand(
    site: Site, smtp: Smtp
) -> None:
    one = await site.process(smtp())
    await one.emergent.placed([(placed(service="NewService", emergent=True), cause())])
    [opened] = (await one.tickets.list({"ServiceId": "NewService"})).items
    by_hand = {"TicketId": "SIM-1", "Title": "Look", "ServiceId": "NewService", "EventId": "PD2024", "Severity": 3}
    taken = {**opened.state, "Assignee": "jsmith"}
    await one.tickets.update("SIM-1", lambda _: Change(by_hand, ()), cause())
    await one.tickets.update(opened.key, lambda _: Change(taken, ()), cause())
    await one.services.put([("NewService", 1, SERVICE | {"ServiceId": "NewService"})])
    await one.emergent.heard_of(["NewService"], cause())
    found = {ticket.key: ticket.state.get("Assignee") for ticket in (await one.tickets.list({})).items}
    assert found == {"SIM-1": None, opened.key: "jsmith"}

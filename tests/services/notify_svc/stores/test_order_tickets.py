"""Tickets of executions on the stores: one per service and Event, whoever takes in which fact, how often, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.notify_svc.app.send_mails import Mailbox
from services.notify_svc.domain.tickets import order_ticket_id, second_ticket_id
from shared.documents import Change
from tests.support.notify import SERVICE, Post, Replica, Replicas, cause, placed

Smtp = Callable[[], Mailbox]
FIRST = order_ticket_id("PD2024", "FORTRESSService")
SECOND = second_ticket_id("PD2024", "FORTRESSService")


async def tickets(one: Replica) -> dict[str, dict[str, Any]]:
    return {ticket.key: dict(ticket.state) for ticket in (await one.tickets.list({"EventId": "PD2024"})).items}


async def change(one: Replica, ticket_id: str, **members: Any) -> None:
    """A person changes the ticket."""
    state = (await tickets(one))[ticket_id]
    await one.tickets.update(ticket_id, lambda _: Change(state | members, ()), cause())


async def test_emergent_orders_open_one_ticket_and_later_ones_comment_on_it(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    facts = [(placed(number, emergent=True), cause()) for number in range(6)]
    await asyncio.gather(
        one.open_order_tickets(facts[:4]),
        two.open_order_tickets(facts[2:]),
        one.open_order_tickets([(placed(9), cause())]),
    )
    [ticket] = (await one.tickets.list({"EventId": "PD2024"})).items
    assert (ticket.state["Severity"], ticket.state["Assignee"]) == (2, "fortress-owner@amazon.com")
    named = [comment["Text"].partition(":")[0] for comment in ticket.state["Comments"]]
    assert sorted(named) == [f"SPCO-{789 + number}" for number in (0, 1, 2, 3, 4, 5, 9)]
    assert len({message.id for message in await replicas.published_as("ticket.created")}) == 1
    await one.sender.send_due()
    assert [mail["Subject"].partition(" ")[0] for _, mail in post.taken] == ["Sev2"]


@pytest.mark.parametrize("first", ["the order", "the service"])
async def test_an_emergent_ticket_gets_the_owner_whichever_message_comes_first(
    first: str, replicas: Replicas, smtp: Smtp
) -> None:
    one = await replicas.start(smtp())
    new = SERVICE | {"ServiceId": "NewService", "Owner": "new-owner@example.com"}
    fact = [(placed(service="NewService", emergent=True), cause())]
    if first == "the order":
        await one.open_order_tickets(fact)
        [waiting] = (await one.tickets.list({"ServiceId": "NewService"})).items
        assert "Assignee" not in waiting.state
    for _ in range(2):
        await one.services.put([("NewService", 1, new)])
        await one.assign_tickets(["NewService", "FORTRESSService"], cause())
    await one.open_order_tickets(fact)
    [ticket] = (await one.tickets.list({"ServiceId": "NewService"})).items
    assert ticket.state["Assignee"] == "new-owner@example.com"
    assert ticket.version == (2 if first == "the order" else 1)


async def test_a_new_service_takes_no_ticket_with_an_assignee_or_opened_by_hand(replicas: Replicas, smtp: Smtp) -> None:
    one = await replicas.start(smtp())
    await one.open_order_tickets([(placed(service="NewService", emergent=True), cause())])
    [opened] = (await one.tickets.list({"ServiceId": "NewService"})).items
    by_hand = {"TicketId": "SIM-1", "Title": "Look", "ServiceId": "NewService", "EventId": "PD2024", "Severity": 3}
    taken = {**opened.state, "Assignee": "jsmith"}
    await one.tickets.update("SIM-1", lambda _: Change(by_hand, ()), cause())
    await one.tickets.update(opened.key, lambda _: Change(taken, ()), cause())
    await one.services.put([("NewService", 1, SERVICE | {"ServiceId": "NewService"})])
    await one.assign_tickets(["NewService"], cause())
    found = {ticket.key: ticket.state.get("Assignee") for ticket in (await one.tickets.list({})).items}
    assert found == {"SIM-1": None, opened.key: "jsmith"}


async def test_standard_orders_open_a_sev4_ticket_that_an_emergent_one_raises(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    """7.11.2, 7.11.3a, 7.11.4"""
    one = await replicas.start(smtp())
    await one.open_order_tickets([(placed(number), cause()) for number in range(2)])
    await one.open_order_tickets([(placed(1), cause()), (placed(2), cause())])
    [ticket] = (await tickets(one)).values()
    assert (ticket["Severity"], ticket["Assignee"], len(ticket["Comments"])) == (4, "fortress-owner@amazon.com", 3)
    assert await one.mails() == []
    for _ in range(2):
        await one.open_order_tickets([(placed(3, emergent=True), cause())])
    [raised] = (await tickets(one)).values()
    assert (raised["Severity"], raised["Title"][:8], len(raised["Comments"])) == (2, "Emergent", 4)
    assert [message.key for message in await replicas.published_as("ticket.escalated")] == [FIRST]
    await one.sender.send_due()
    assert [mail["Subject"].split()[:2] for _, mail in post.taken] == [["Sev2", f"{FIRST}:"]]


async def test_two_replicas_with_both_kinds_at_once_make_one_sev2_ticket(replicas: Replicas, smtp: Smtp) -> None:
    """7.11.3a, under redelivery and in any order"""
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    facts = [(placed(number, emergent=number % 3 == 0), cause()) for number in range(9)]
    await asyncio.gather(
        *(replica.open_order_tickets(facts[at : at + 4]) for at in range(0, 9, 2) for replica in (one, two))
    )
    [ticket] = (await tickets(one)).values()
    assert (ticket["Severity"], len(ticket["Comments"])) == (2, 9)
    assert len({message.id for message in await replicas.published_as("ticket.created")}) == 1
    assert len(await one.mails()) == 1


async def test_an_emergent_order_after_the_sev4_was_closed_opens_the_sev2_ticket(
    replicas: Replicas, smtp: Smtp
) -> None:
    """7.11.1: facts that come again add nothing, also where a person opens the first ticket anew."""
    one = await replicas.start(smtp())
    await one.open_order_tickets([(placed(0), cause())])
    await change(one, FIRST, Status="Closed")
    batch = [(placed(1), cause()), (placed(2, emergent=True), cause())]
    await one.open_order_tickets(batch)
    after = await tickets(one)
    assert {key: (item["Severity"], item["Status"], len(item["Comments"])) for key, item in after.items()} == {
        FIRST: (4, "Closed", 2),
        SECOND: (2, "Open", 1),
    }
    await change(one, FIRST, Status="Open")
    await change(one, SECOND, Status="Closed")
    await one.open_order_tickets([*batch, (placed(3, emergent=True), cause())])
    after = await tickets(one)
    assert {key: (item["Severity"], item["Status"], len(item["Comments"])) for key, item in after.items()} == {
        FIRST: (4, "Open", 2),
        SECOND: (2, "Closed", 2),
    }
    assert {mail.state["TicketId"] for mail in await one.mails()} == {SECOND}

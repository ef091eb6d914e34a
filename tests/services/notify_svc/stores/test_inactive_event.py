"""Of an event that stopped running a service is told in one mail, each line once, whoever takes it in and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.notify_svc.app.send import Mailbox
from services.notify_svc.domain.inactive_event import GATHERING
from shared.documents.contract import Document
from tests.services.notify_svc.stores.conftest import Post, Site, cause, left_open

Smtp = Callable[[], Mailbox]
WAIT = GATHERING.total_seconds()


def fleets(mail: Document) -> list[tuple[str, int]]:
    said: list[dict[str, Any]] = mail.state["_Delivery"]["Context"]["Fleets"]
    return [(line["FleetId"].rpartition("-")[2], line["OrdersVersionId"]) for line in said]


async def test_all_fleets_of_a_service_are_in_one_mail_which_waits_for_them(site: Site, smtp: Smtp, post: Post) -> None:
    one = await site.process(smtp())
    await one.inactive.reviewed([(left_open(0), cause()), (left_open(0, service="Other"), cause())])
    await one.sender.send_due()
    assert post.taken == []
    site.real_time.pass_by(WAIT - 1)
    await one.inactive.reviewed([(left_open(1), cause())])
    site.real_time.pass_by(1)
    await one.sender.send_due()
    mails = {mail["Message-ID"]: (recipients, mail) for recipients, mail in post.taken}
    recipients, mail = mails["<OrdersOfInactiveEvent.PD2024.FORTRESSService.1@epic>"]
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert mail["Subject"] == "PD2024 is off, 4 approved orders of FORTRESSService still open"
    for order in ("F5-0-1", "F5-0-2", "F5-1-1", "F5-1-2"):
        assert order in str(mail)
    states = {item.key: item.state["Status"] for item in await one.all()}
    assert states == {
        "OrdersOfInactiveEvent.PD2024.FORTRESSService.1": "Sent",
        "OrdersOfInactiveEvent.PD2024.Other.1": "Pending",  # nobody has heard of it yet
    }


async def test_what_comes_after_a_mail_was_tried_opens_the_next(site: Site, smtp: Smtp, post: Post) -> None:
    one = await site.process(smtp())
    await one.inactive.reviewed([(left_open(0), cause())])
    site.real_time.pass_by(WAIT)
    post.refuse = "452 busy"
    await one.sender.send_due()
    await one.inactive.reviewed([(left_open(0), cause()), (left_open(1), cause())])
    first, second = await one.all()
    assert (fleets(first), fleets(second)) == ([("0", 4)], [("1", 4)])
    post.refuse = None
    site.real_time.pass_by(WAIT)
    await one.sender.send_due()
    assert sorted(mail["Message-ID"].rpartition(".")[2] for _, mail in post.taken) == ["1@epic>", "2@epic>"]


async def test_replicas_that_race_over_the_same_facts_say_each_once(site: Site, smtp: Smtp) -> None:
    one, two = await site.process(smtp()), await site.process(smtp())
    facts = [(left_open(number), cause()) for number in range(12)]
    await asyncio.gather(
        *(one.inactive.reviewed(facts[n : n + 4]) for n in range(0, 12, 2)),
        *(two.inactive.reviewed(facts[n : n + 3]) for n in range(0, 12, 3)),
    )
    [mail] = await one.all()
    assert sorted(fleets(mail)) == sorted((str(number), 4) for number in range(12))


async def test_replicas_that_race_with_the_sender_lose_and_repeat_nothing(site: Site, smtp: Smtp, post: Post) -> None:
    one, two = await site.process(smtp()), await site.process(smtp())
    await one.inactive.reviewed([(left_open(0), cause())])
    site.real_time.pass_by(WAIT)
    facts = [(left_open(number), cause()) for number in range(10)]
    await asyncio.gather(
        one.sender.send_due(), two.sender.send_due(),
        *(process.inactive.reviewed([fact]) for fact in facts for process in (one, two)),
    )  # fmt: skip
    site.real_time.pass_by(WAIT)
    await asyncio.gather(one.sender.send_due(), two.sender.send_due())
    mails = await one.all()
    assert {mail.state["Status"] for mail in mails} == {"Sent"}
    assert sorted(line for mail in mails for line in fleets(mail)) == sorted((str(n), 4) for n in range(10))
    ids = [mail["Message-ID"] for _, mail in post.taken]
    assert len(ids) == len(set(ids)) == len(mails)


async def test_a_replay_from_the_first_fact_adds_nothing_and_a_later_change_of_the_event_is_told(
    site: Site, smtp: Smtp, post: Post
) -> None:
    one = await site.process(smtp())
    history = [(left_open(0, version=4), cause()), (left_open(1, version=4), cause())]
    await one.inactive.reviewed(history)
    site.real_time.pass_by(WAIT)
    await one.sender.send_due()
    history.append((left_open(0, version=9), cause()))
    await one.inactive.reviewed(history[-1:])
    site.real_time.pass_by(WAIT)
    await one.sender.send_due()
    before = await one.all()
    for fact in [*history, *reversed(history)]:
        await one.inactive.reviewed([fact])
    site.real_time.pass_by(WAIT)
    await one.sender.send_due()
    assert await one.all() == before
    assert [fleets(mail) for mail in before] == [[("0", 4), ("1", 4)], [("0", 9)]]
    assert len(post.taken) == 2

"""A service gets one mail about fleets withdrawn from an event, with each line once, however often it is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.notify_svc.app.send_mails import Mailbox
from services.notify_svc.domain.open_orders import GATHERING
from shared.documents import Document
from tests.support.notify import Post, Replicas, cause, left_open

Smtp = Callable[[], Mailbox]
WAIT = GATHERING.total_seconds()


def fleets(mail: Document) -> list[tuple[str, int]]:
    lines: list[dict[str, Any]] = mail.state["_Context"]["Fleets"]
    return [(line["FleetId"].rpartition("-")[2], line["OrdersVersionId"]) for line in lines]


async def test_all_fleets_of_a_service_are_in_one_mail_which_waits_for_them(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    await one.warn_of_open_orders([(left_open(0), cause()), (left_open(0, service="Other"), cause())])
    await one.sender.send_due()
    assert post.taken == []
    replicas.real_time.pass_by(WAIT - 1)
    await one.warn_of_open_orders([(left_open(1), cause())])
    replicas.real_time.pass_by(1)
    await one.sender.send_due()
    mails = {mail["Message-ID"]: (recipients, mail) for recipients, mail in post.taken}
    recipients, mail = mails["<InactiveEventOrders.PD2024.FORTRESSService.1@epic>"]
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert mail["Subject"] == (
        "PD2024: 4 approved orders of FORTRESSService still open for fleets that no longer take part"
    )
    for order in ("F5-0-1", "F5-0-2", "F5-1-1", "F5-1-2"):
        assert order in str(mail)
    states = {item.key: item.state["Status"] for item in await one.mails()}
    assert states == {
        "InactiveEventOrders.PD2024.FORTRESSService.1": "Sent",
        "InactiveEventOrders.PD2024.Other.1": "Pending",  # the service is unknown
    }


async def test_what_comes_after_a_mail_was_tried_opens_the_next(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp())
    await one.warn_of_open_orders([(left_open(0), cause())])
    replicas.real_time.pass_by(WAIT)
    post.refuse = "452 busy"
    await one.sender.send_due()
    await one.warn_of_open_orders([(left_open(0), cause()), (left_open(1), cause())])
    first, second = await one.mails()
    assert (fleets(first), fleets(second)) == ([("0", 4)], [("1", 4)])
    post.refuse = None
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    assert sorted(mail["Message-ID"].rpartition(".")[2] for _, mail in post.taken) == ["1@epic>", "2@epic>"]


async def test_replicas_that_race_over_the_same_facts_mail_each_once(replicas: Replicas, smtp: Smtp) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    facts = [(left_open(number), cause()) for number in range(12)]
    await asyncio.gather(
        *(one.warn_of_open_orders(facts[n : n + 4]) for n in range(0, 12, 2)),
        *(two.warn_of_open_orders(facts[n : n + 3]) for n in range(0, 12, 3)),
    )
    [mail] = await one.mails()
    assert sorted(fleets(mail)) == sorted((str(number), 4) for number in range(12))


async def test_replicas_that_race_with_the_sender_lose_and_repeat_nothing(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    await one.warn_of_open_orders([(left_open(0), cause())])
    replicas.real_time.pass_by(WAIT)
    facts = [(left_open(number), cause()) for number in range(10)]
    await asyncio.gather(
        one.sender.send_due(),
        two.sender.send_due(),
        *(process.warn_of_open_orders([fact]) for fact in facts for process in (one, two)),
    )
    replicas.real_time.pass_by(WAIT)
    await asyncio.gather(one.sender.send_due(), two.sender.send_due())
    mails = await one.mails()
    assert {mail.state["Status"] for mail in mails} == {"Sent"}
    assert sorted(line for mail in mails for line in fleets(mail)) == sorted((str(n), 4) for n in range(10))
    ids = [mail["Message-ID"] for _, mail in post.taken]
    assert len(ids) == len(set(ids)) == len(mails)


async def test_a_replay_adds_nothing_and_a_later_change_of_the_event_opens_a_mail(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    history = [(left_open(0, version=4), cause()), (left_open(1, version=4), cause())]
    await one.warn_of_open_orders(history)
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    history.append((left_open(0, version=9), cause()))
    await one.warn_of_open_orders(history[-1:])
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    before = await one.mails()
    for fact in [*history, *reversed(history)]:
        await one.warn_of_open_orders([fact])
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    assert await one.mails() == before
    assert [fleets(mail) for mail in before] == [[("0", 4), ("1", 4)], [("0", 9)]]
    assert len(post.taken) == 2

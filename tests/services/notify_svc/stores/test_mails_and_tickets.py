"""People get one mail per cause, though messages come twice, in any order, to two replicas, or a replica dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.notify_svc.app.send_mails import Mail, Mailbox
from shared.durability.lease import Lease, Leases
from tests.support.notify import CLOCK, Post, Replicas, cause, completed, placed

Smtp = Callable[[], Mailbox]


async def test_a_summary_waits_for_the_run_and_all_of_its_facts(replicas: Replicas, smtp: Smtp) -> None:
    one = await replicas.start(smtp())
    await one.gather_orders([(placed(0), cause())])
    await one.summarize_runs([(completed(2), cause())])
    assert await one.mails() == []
    await one.gather_orders([(placed(1), cause())])
    [summary] = await one.mails()
    assert summary.state["Subject"].startswith("Hardware order: 100 hosts for FORTRESSService")


@pytest.mark.parametrize("order", ["facts first", "run first"])
async def test_whatever_comes_first_or_twice_one_summary_is_sent(
    order: str, replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    facts = [one.gather_orders, [(placed(number), cause()) for number in range(3)]]
    run = [one.summarize_runs, [(completed(3), cause())]]
    for use_case, what in [facts, run, facts, run] if order == "facts first" else [run, facts, run, facts]:
        await use_case(what)  # type: ignore[operator]
    await one.sender.send_due()
    await one.sender.send_due()
    [(recipients, mail)] = post.taken
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert "150 hosts" in mail["Subject"]
    assert mail["Date"].datetime == CLOCK.now()
    [event] = await replicas.published_as("notification.sent")
    assert event.trace.correlation_id == "a-first-call"
    assert not [name for name in event.body() if name.startswith("_")]


async def test_two_replicas_that_take_in_a_services_facts_at_once_lose_none(replicas: Replicas, smtp: Smtp) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    await asyncio.gather(*((one, two)[number % 2].gather_orders([(placed(number), cause())]) for number in range(20)))
    await one.summarize_runs([(completed(20), cause())])
    [summary] = await one.mails()
    assert summary.state["_Context"]["OrderedHosts"] == 20 * 50


async def test_two_senders_send_each_mail_once(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    for number in range(10):
        service = f"S{number}"
        await one.services.put([(service, 1, {"ServiceId": service, "Owner": f"{service}@x.com", "VersionId": 1})])
        await one.gather_orders([(placed(0, service=service), cause())])
        await one.summarize_runs([(completed(1, service=service), cause())])
        # Another run's end replaces nothing: each service's run fact is the same run's, sent again with its service.
        await one.gather_orders([(placed(0, service=service), cause())])
    waiting = len(await one.mails())
    await asyncio.gather(one.sender.send_due(), two.sender.send_due())
    ids = [mail["Message-ID"] for _, mail in post.taken]
    assert len(ids) == len(set(ids)) == waiting > 0


class KeptLeases:
    """The leases of a process that is killed: nobody releases them before they run out."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.kept: Lease | None = None

    async def claim(self, name: str, holder: str, seconds: float) -> Lease | None:
        self.kept = await self.leases.claim(name, holder, seconds)
        return self.kept

    async def release(self, lease: Lease) -> None: ...

    async def run_out(self) -> None:
        assert self.kept is not None
        await self.leases.release(self.kept)


async def test_a_sender_that_dies_after_sending_leaves_a_repeat_under_the_same_id(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    class Dying:
        async def send(self, mail: Mail) -> None:
            await smtp().send(mail)
            raise asyncio.CancelledError  # the process ends before it stores anything

    one, two = await replicas.start(Dying()), await replicas.start(smtp())
    one.sender.leases = leases = KeptLeases(one.store.leases())  # type: ignore[assignment]
    await one.gather_orders([(placed(), cause())])
    await one.summarize_runs([(completed(1), cause())])
    with pytest.raises(asyncio.CancelledError):
        await one.sender.send_due()
    await two.sender.send_due()
    assert len(post.taken) == 1, "while the lease holds nobody else tries"
    await leases.run_out()
    await two.sender.send_due()
    assert [mail["Message-ID"] for _, mail in post.taken] == ["<HardwareOrder.5.FORTRESSService@epic>"] * 2
    assert [item.state["Status"] for item in await two.mails()] == ["Sent"]


async def test_a_mail_that_is_put_off_is_tried_again_and_every_attempt_is_kept(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    await one.gather_orders([(placed(), cause())])
    await one.summarize_runs([(completed(1), cause())])
    post.refuse = "452 busy"
    await one.sender.send_due()
    [waiting] = await one.mails()
    assert (waiting.state["Status"], waiting.state["Attempts"]) == ("Pending", 1)
    assert "452 busy" in waiting.state["Reason"]
    post.refuse = None
    await one.sender.send_due()
    assert post.taken == [], "not before its delay is over"
    replicas.real_time.pass_by(5)
    await one.sender.send_due()
    assert len(post.taken) == 1
    log = (await one.notifications.history(waiting.key)).items
    assert [item.message for item in log][:4] == [
        "sent to fortress-owner@amazon.com, jsmith@example.com",
        "attempt",
        "452 busy",
        "attempt",
    ]


async def test_a_mail_that_is_refused_for_good_fails_with_an_event(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp())
    await one.gather_orders([(placed(), cause())])
    await one.summarize_runs([(completed(1), cause())])
    post.refuse = "554 no such thing"
    await one.sender.send_due()
    [event] = await replicas.published_as("notification.failed")
    assert event.body()["Reason"] == "554 no such thing"


async def test_orders_of_an_unknown_service_are_mailed_once_it_is_known(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    """Its topic may be behind the orders': whoever read it was killed, and nobody has its share yet."""
    one = await replicas.start(smtp())
    await one.gather_orders([(placed(service="LateService"), cause())])
    await one.summarize_runs([(completed(1, service="LateService"), cause())])
    await one.sender.send_due()
    [waiting] = await one.mails()
    assert (waiting.state["Status"], waiting.state["Reason"]) == ("Pending", "LateService is not known here yet")
    await one.services.put([("LateService", 1, {"ServiceId": "LateService", "Owner": "late"})])
    replicas.real_time.pass_by(5)
    await one.sender.send_due()
    assert [recipients for recipients, _ in post.taken] == [["late@example.com"]]


async def test_a_service_without_owner_and_leader_is_a_failure_that_names_the_remedy(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    await one.services.put([("Nobodys", 1, {"ServiceId": "Nobodys"})])
    await one.gather_orders([(placed(service="Nobodys"), cause())])
    await one.summarize_runs([(completed(1, service="Nobodys"), cause())])
    await one.sender.send_due()
    [failed] = await one.mails()
    assert failed.state["Reason"] == "no address: the service has no owner; give the service an Owner"
    assert post.taken == []


async def test_a_mail_notes_a_leader_without_an_address(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp(), mail_domain=None)
    await one.gather_orders([(placed(), cause())])
    await one.summarize_runs([(completed(1), cause())])
    await one.sender.send_due()
    [(recipients, _)] = post.taken
    assert recipients == ["fortress-owner@amazon.com"]
    [summary] = await one.mails()
    assert summary.state["Reason"] == "no address for jsmith; set EPIC_MAIL_DOMAIN"

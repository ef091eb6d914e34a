"""The owner of a downstream service gets each PeakTPM once, however often it is requested (6.4.42 to 6.4.45)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.notify_svc.app.send_mails import Mailbox
from shared.documents import Document
from shared.schemas.notify_svc.notification import NotificationSnapshot
from shared.settings import Settings
from tests.support.notify import SERVICE, Post, Replica, Replicas, cause, tpm_requested

Smtp = Callable[[], Mailbox]
WAIT = Settings().tpm_mail_seconds
THREE = ("CheckoutService", "PaymentService", "SearchService")


async def known(replica: Replica, *services: str, **members: Any) -> None:
    bodies = [{**SERVICE, "ServiceId": name, "Owner": f"{name}-owner@example.com", **members} for name in services]
    await replica.services.put([(body["ServiceId"], 1, body) for body in bodies])


async def sent(replica: Replica, replicas: Replicas) -> None:
    replicas.real_time.pass_by(WAIT)
    await replica.sender.send_due()


async def published(replicas: Replicas, ce_type: str) -> list[NotificationSnapshot]:
    return [NotificationSnapshot.model_validate(one.body()) for one in await replicas.published_as(ce_type)]


def tpms(mail: Document) -> list[int]:
    tpms: list[int] = mail.state["PeakTPMs"]
    return tpms


async def test_every_downstream_owner_gets_one_mail_after_ten_minutes(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    await known(one, *THREE)
    await one.mail_tpm([(tpm_requested(to=THREE), cause())])
    replicas.real_time.pass_by(WAIT - 1)
    await one.sender.send_due()
    assert post.taken == []
    replicas.real_time.pass_by(1)
    await one.sender.send_due()
    assert sorted(recipients for recipients, _ in post.taken) == [[f"{name}-owner@example.com"] for name in THREE]
    _, mail = post.taken[0]
    assert mail["Subject"] == "TPM of 55,000 from FORTRESSService for PD2024"
    assert "FORTRESSService-NA-X0: 55,000 TPM" in str(mail)
    facts = [
        NotificationSnapshot.model_validate(one.body()) for one in await replicas.published_as("notification.sent")
    ]
    assert {(fact.kind, fact.event_id, fact.upstream_service_id) for fact in facts} == {
        ("TPM", "PD2024", "FORTRESSService")
    }
    assert sorted((fact.service_id, fact.peak_tpms) for fact in facts) == [(name, [55_000]) for name in THREE]


async def test_the_fleets_of_ten_minutes_are_in_one_mail_with_the_newest_tpm_of_each(
    replicas: Replicas, smtp: Smtp, post: Post
) -> None:
    one = await replicas.start(smtp())
    await known(one, "CheckoutService")
    await one.mail_tpm([(tpm_requested(50_000), cause()), (tpm_requested(70_000, fleet="EU"), cause())])
    replicas.real_time.pass_by(WAIT - 1)
    await one.mail_tpm([(tpm_requested(60_000), cause())])
    replicas.real_time.pass_by(1)
    await one.sender.send_due()
    [(_, mail)] = post.taken
    assert mail["Subject"] == "TPM of 2 fleets from FORTRESSService for PD2024"
    assert "FORTRESSService-NA-X0: 60,000 TPM" in str(mail)
    assert [tpms(item) for item in await one.mails()] == [[60_000, 70_000]]


async def test_a_request_that_comes_again_sends_no_second_mail(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp())
    await known(one, "CheckoutService")
    for _ in range(2):
        await one.mail_tpm([(tpm_requested(), cause()), (tpm_requested(fleet="EU"), cause())])
        await sent(one, replicas)
    assert len(post.taken) == 1
    await one.mail_tpm([(tpm_requested(60_000), cause())])
    await sent(one, replicas)
    await one.mail_tpm([(tpm_requested(), cause()), (tpm_requested(60_000), cause())])
    await sent(one, replicas)
    assert [mail["Subject"].split()[2] for _, mail in post.taken] == ["55,000", "60,000"]
    assert len({mail["Message-ID"] for _, mail in post.taken}) == 2


async def test_several_replicas_at_once_make_one_mail(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    three = [await replicas.start(smtp()) for _ in range(3)]
    await known(three[0], *THREE)
    requests = [(tpm_requested(50_000 + n, fleet=f"F{n}", to=THREE), cause()) for n in range(5)]
    await asyncio.gather(*(replica.mail_tpm(requests) for replica in three))
    replicas.real_time.pass_by(WAIT)
    await asyncio.gather(*(replica.sender.send_due() for replica in three))
    assert len(post.taken) == 3
    assert [tpms(mail) for mail in await three[0].mails()] == [[50_000, 50_001, 50_002, 50_003, 50_004]] * 3


async def test_a_mail_without_an_address_fails_and_says_for_whom(replicas: Replicas, smtp: Smtp) -> None:
    one = await replicas.start(smtp(), mail_domain=None)
    await known(one, "CheckoutService", Owner="checkout-team")
    await one.mail_tpm([(tpm_requested(), cause())])
    await sent(one, replicas)
    [failed] = await replicas.published_as("notification.failed")
    fact = NotificationSnapshot.model_validate(failed.body())
    assert (fact.service_id, fact.upstream_service_id, fact.peak_tpms) == (
        "CheckoutService",
        "FORTRESSService",
        [55_000],
    )
    assert fact.reason == "no address: checkout-team; set EPIC_MAIL_DOMAIN"

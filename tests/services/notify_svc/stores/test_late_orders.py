"""7.8.46, 8.1.8: each date of a late order is mailed once, together with the service's others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.notify_svc.app.send_mails import Mailbox
from services.notify_svc.domain.late_orders import GATHERING
from shared.schemas.hotw_svc import HardwareFact
from tests.support.notify import PLACED, Post, Replicas, cause

Smtp = Callable[[], Mailbox]


def late(number: int = 0, *, due: str = "2024-07-16", service: str = "FORTRESSService", **changes: Any) -> HardwareFact:
    """A fact about the first order of a fleet, which is late; its second one is late too, and not named."""
    first, second, third = PLACED["Orders"][:3]
    orders = [
        {**first, "FulfillmentId": f"F5-{number}-1", "Late": True, "FulfillmentDate": due},
        {**second, "FulfillmentId": f"F5-{number}-2", "Late": True},
        {**third, "FulfillmentId": f"F5-{number}-3"},
    ]
    named = [f"F5-{number}-1", f"F5-{number}-3"]
    body = {**PLACED, "FleetId": f"Fleet-{number}", "ServiceId": service, "Orders": orders, "FulfillmentIds": named}
    return HardwareFact.model_validate(body | changes)


async def test_late_orders_of_a_service_come_in_one_mail(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp())
    await one.mail_late_orders([(late(0), cause()), (late(1), cause())])
    await one.mail_late_orders([(late(2), cause()), (late(0), cause())])
    await one.sender.send_due()
    assert post.taken == []
    replicas.real_time.pass_by(GATHERING.total_seconds())
    await one.sender.send_due()
    [(recipients, mail)] = post.taken
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert mail["Subject"] == "LATE: 60 hosts of FORTRESSService for PD2024 (3 orders) not before the peak"
    part = mail.get_body(("plain",))  # type: ignore[attr-defined]
    assert "F5-2-1: 20 hosts of Fleet-2 in us-east-1a (" in part.get_content()
    assert "F5-0-2" not in part.get_content()


async def test_each_date_of_an_order_is_mailed_once(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    """A review that leaves the date as it was adds nothing; another late date is another mail."""
    one = await replicas.start(smtp())
    for due in ("2024-07-16", "2024-07-16", "2024-07-18"):
        await one.mail_late_orders([(late(0, due=due), cause())])
        replicas.real_time.pass_by(GATHERING.total_seconds())
        await one.sender.send_due()
    await one.mail_late_orders([(late(0), cause()), (late(0, due="2024-07-18"), cause())])
    assert [item.key for item in await one.mails()] == [
        "FulfilmentLate.PD2024.FORTRESSService.1",
        "FulfilmentLate.PD2024.FORTRESSService.2",
    ]
    assert len(post.taken) == 2


async def test_orders_in_time_are_not_mailed(replicas: Replicas, smtp: Smtp) -> None:
    one = await replicas.start(smtp())
    await one.mail_late_orders([(HardwareFact.model_validate(PLACED), cause())])
    assert await one.mails() == []


async def test_two_replicas_lose_no_line_and_repeat_none(replicas: Replicas, smtp: Smtp) -> None:
    one, two = await replicas.start(smtp()), await replicas.start(smtp())
    facts = [(late(number), cause()) for number in range(8)]
    await asyncio.gather(*(each.mail_late_orders(facts[at : at + 4]) for at in (0, 2, 4) for each in (one, two)))
    [mail] = await one.mails()
    assert [order["FulfillmentId"] for order in mail.state["_Context"]["Orders"]] == [f"F5-{n}-1" for n in range(8)]

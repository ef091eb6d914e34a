"""Owner and leader of a service get one mail about the gaps of its fleets, with each gap once (7.10.19, 8.1.14)."""

from __future__ import annotations

from collections.abc import Callable

from services.notify_svc.app.send_mails import Mailbox
from services.notify_svc.domain.gaps import GATHERING
from shared.documents import Document
from tests.support.notify import Post, Replicas, cause, gap_opened

Smtp = Callable[[], Mailbox]
WAIT = GATHERING.total_seconds()


def lines(mail: Document) -> list[tuple[str, int]]:
    return [(line["FleetId"].rpartition("-")[2], line["Gap"]) for line in mail.state["_Context"]["Fleets"]]


async def test_the_gaps_of_a_services_fleets_are_in_one_mail(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    one = await replicas.start(smtp())
    await one.mail_gaps([(gap_opened(0, 10), cause()), (gap_opened(0, service="Other"), cause())])
    replicas.real_time.pass_by(WAIT - 1)
    await one.mail_gaps([(gap_opened(1, 1200), cause()), (gap_opened(0, 30), cause())])
    await one.sender.send_due()
    assert post.taken == []
    replicas.real_time.pass_by(1)
    await one.sender.send_due()
    [(recipients, mail)] = post.taken
    assert recipients == ["fortress-owner@amazon.com", "jsmith@example.com"]
    assert mail["Subject"] == "PD2024: 2 fleets of FORTRESSService lack 1,230 hosts"
    for part in (part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart()):
        assert "FORTRESSService-1" in part
        assert "1,200" in part
        assert '"ServiceIds": ["FORTRESSService"]' in part.replace("&#34;", '"')


async def test_a_gap_is_mailed_once_however_it_changes(replicas: Replicas, smtp: Smtp, post: Post) -> None:
    """7.10.16: the same gap has the same Since."""
    one = await replicas.start(smtp())
    await one.mail_gaps([(gap_opened(0, 10), cause())])
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    await one.mail_gaps([(gap_opened(0, 10), cause()), (gap_opened(0, 20), cause())])
    assert [lines(mail) for mail in await one.mails()] == [[("0", 10)]]
    again = gap_opened(0, 5, since="2024-06-20T09:00:00.000Z")  # it closed, and opened again
    await one.mail_gaps([(again, cause()), (gap_opened(1, 7), cause())])
    assert [lines(mail) for mail in await one.mails()] == [[("0", 10)], [("0", 5), ("1", 7)]]
    replicas.real_time.pass_by(WAIT)
    await one.sender.send_due()
    assert [mail["Subject"] for _, mail in post.taken] == [
        "PD2024: a fleet of FORTRESSService lacks 10 hosts",
        "PD2024: 2 fleets of FORTRESSService lack 12 hosts",
    ]

"""Lines go into the first mail that still takes them, each once, whoever mails them and however often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.notify_svc.app.growing_mails import mail_lines
from services.notify_svc.app.send_mails import Mailbox
from services.notify_svc.domain.notification import Notification
from shared.cause import Cause
from shared.documents import Change, Document
from shared.trace import Trace
from tests.support.notify import Replica, Replicas, cause

ROOM = 4


def first_mail(subject: str, number: int, lines: list[str], trace: Trace) -> Notification:
    key = f"{subject}.{number}"
    return Notification(
        id=key, kind="Test", cause=key, subject=subject, template="t", context={"Lines": lines[:ROOM]}, trace=trace
    )


def missing_in(mail: Notification, lines: list[str]) -> list[str]:
    return [line for line in lines if line not in mail.context["Lines"]]


def with_lines(mail: Notification, lines: list[str]) -> Notification | None:
    held = mail.context["Lines"]
    longer = [*held, *missing_in(mail, lines)][:ROOM]
    return mail.having(context={"Lines": longer}) if mail.is_untried and longer != held else None


async def mail(replica: Replica, *lines: str, cause_: Cause | None = None) -> None:
    """Mails lines, each the subject and the text: ``A:1``."""
    given = [(line.partition(":")[0], line, cause_ or cause()) for line in lines]
    await mail_lines(
        given, make=first_mail, missing_in=missing_in, with_lines=with_lines, notifications=replica.notifications
    )


async def lines_of(replica: Replica) -> dict[str, list[str]]:
    return {item.key: item.state["_Context"]["Lines"] for item in await replica.mails()}


@pytest.fixture
async def one(replicas: Replicas, smtp: Callable[[], Mailbox]) -> Replica:
    return await replicas.start(smtp())


async def test_each_subject_has_a_mail_of_its_own_and_the_next_when_it_is_full(one: Replica) -> None:
    await mail(one, "A:1", "B:1", *(f"A:{number}" for number in range(2, 7)))
    await mail(one, "A:7", "B:2")
    assert await lines_of(one) == {
        "A.1": ["A:1", "A:2", "A:3", "A:4"],
        "A.2": ["A:5", "A:6", "A:7"],
        "B.1": ["B:1", "B:2"],
    }


async def test_a_mail_that_was_tried_takes_no_line_any_more(one: Replica) -> None:
    await mail(one, "A:1")

    def tried(present: Document | None) -> Change:
        assert present is not None
        state: dict[str, Any] = {**present.state, "Attempts": 1}
        return Change(state, ())

    await one.notifications.update("A.1", tried, cause())
    await mail(one, "A:1", "A:2")
    assert await lines_of(one) == {"A.1": ["A:1"], "A.2": ["A:2"]}


async def test_lines_that_come_again_in_any_order_write_nothing(one: Replica) -> None:
    lines = [f"A:{number}" for number in range(9)]
    await mail(one, *lines)
    before = await one.mails()
    await mail(one, *reversed(lines))
    for line in lines:
        await mail(one, line)
    assert await one.mails() == before


async def test_one_message_about_many_mails_is_written_whole(one: Replica) -> None:
    """Its id is that of no single write; the mail belongs to the first message that was about it."""
    first, second = (replace(cause(), id=f"m{number}", trace=Trace(f"t{number}")) for number in (1, 2))
    await mail(one, "A:1", "B:1", *(f"A:{number}" for number in range(2, 9)), cause_=first)
    await mail(one, "A:9", cause_=second)
    mails = {item.key: Notification.model_validate(item.state) for item in await one.mails()}
    assert {key: made.trace.correlation_id for key, made in mails.items()} == {
        "A.1": "t1",
        "A.2": "t1",
        "A.3": "t2",
        "B.1": "t1",
    }


async def test_replicas_that_race_put_each_line_into_one_mail(
    one: Replica, replicas: Replicas, smtp: Callable[[], Mailbox]
) -> None:
    all_of_them = [one, *[await replicas.start(smtp()) for _ in range(2)]]
    lines = [f"{subject}:{number}" for number in range(9) for subject in "AB"]
    await asyncio.gather(*(mail(each, *lines[n:], *lines[:n]) for n, each in enumerate(all_of_them)))
    held = await lines_of(one)
    assert sorted(line for mail_ in held.values() for line in mail_) == sorted(lines)
    assert {name: len(mail_) for name, mail_ in held.items()} == {
        f"{s}.{n}": (4, 4, 1)[n - 1] for s in "AB" for n in (1, 2, 3)
    }

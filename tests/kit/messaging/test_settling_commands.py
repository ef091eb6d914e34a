"""Commands of a batch: each is answered once, before it is settled, as HTTP would answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from shared.cause import Cause
from shared.errors import NotFound, UnderWay
from shared.messaging.consumer_context import Release, ReleaseReason
from shared.schemas.results import Accepted, Outcome
from tests.kit.messaging.harness import Harness, batch
from tests.support.messaging import MakeThing, event, raw, record_of
from tests.support.waiting import until


def command(key: str = "a", data: Any = None, *, ce_type: str = "MakeThing", **more: Any) -> Any:
    body = {"ThingId": key} if data is None else data
    return replace(event(key, topic="thing.commands", data=body, **more), type=ce_type)


async def test_a_command_is_answered_with_what_it_made(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(command.thing_id, 3)

    assert await harness.settle(harness.commands(make), batch(command("a", id="c1"))) is None

    answer = harness.broker.sent[0]
    assert (answer.topic, answer.type, answer.key, answer.source) == ("results", "MakeThing", "a", "test_svc")
    assert (answer.trace.correlation_id, answer.trace.causation_id) == ("corr", "c1")
    assert answer.body() == {
        "CommandId": "c1",
        "Source": "test_svc",
        "Outcome": "Accepted",
        "Id": "a",
        "VersionId": 3,
    }


async def test_a_refused_command_is_answered_as_http_would(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        raise NotFound("fleet X is not known")

    assert await harness.settle(harness.commands(make), batch(command())) is None

    result = harness.answers()[0]
    assert result.outcome is Outcome.REFUSED
    assert result.problem == NotFound("fleet X is not known").problem()
    assert harness.dead_letters() == []


@pytest.mark.parametrize(
    ("data", "ce_type", "status", "pointer"),
    [
        ({"ThingId": "a", "Colour": "red"}, "MakeThing", 400, "/Colour"),
        ({}, "MakeThing", 400, "/ThingId"),
        ({"ThingId": "a#b"}, "MakeThing", 400, "/ThingId"),
        ({"ThingId": "a"}, "BreakThing", 400, None),
    ],
)
async def test_a_command_that_does_not_fit_is_refused_and_named(
    harness: Harness, data: Any, ce_type: str, status: int, pointer: str | None
) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        raise AssertionError("must not be called")

    assert await harness.settle(harness.commands(make), batch(command(data=data, ce_type=ce_type))) is None

    problem = harness.answers()[0].problem
    assert problem is not None
    assert problem["status"] == status
    assert [error["pointer"] for error in problem.get("errors", [])] == ([pointer] if pointer else [])


async def test_a_command_with_managed_fields_is_taken_as_http_takes_a_document_posted_back(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(command.thing_id, 5)

    data = {"ThingId": "a", "VersionId": 5, "LatestVersionId": 5, "CreatedBy": "jsmith"}
    await harness.settle(harness.commands(make), batch(command(data=data)))

    assert harness.answers()[0].outcome is Outcome.ACCEPTED


async def test_a_command_under_way_elsewhere_waits_and_is_answered_once(harness: Harness) -> None:
    tries = 0

    async def make(command: MakeThing, cause: Cause) -> Accepted:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnderWay("being worked on")
        return Accepted("a", 1)

    assert await harness.settle(harness.commands(make), batch(command())) is None
    assert [answer.outcome for answer in harness.answers()] == [Outcome.ACCEPTED]


async def test_a_record_is_not_settled_before_its_answer_is_acknowledged(harness: Harness) -> None:
    done = 0

    async def make(command: MakeThing, cause: Cause) -> Accepted:
        nonlocal done
        done += 1
        return Accepted("a", 1)

    harness.broker.away = True
    release = Release(time.monotonic() + 30)
    under_way = asyncio.create_task(harness.settle(harness.commands(make), batch(command()), release=release))
    await until(lambda: done, "the command is done")
    release.request(ReleaseReason.STOPPING)

    assert await under_way == ReleaseReason.STOPPING
    assert harness.resume_at() == {("thing.commands", 0): 0}


async def test_no_json_object_or_no_ce_headers_make_a_command_a_dead_letter(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        raise AssertionError("must not be called")

    headers = record_of(command()).headers
    records = [
        raw("thing.commands", b"a", b"[1]", headers, offset=0),
        raw("thing.commands", b"a", b'{"ThingId":"a"}', (), offset=1),
    ]
    assert await harness.settle(harness.commands(make), records) is None
    assert harness.answers() == []
    assert sorted(letter["Offset"] for letter in harness.dead_letters()) == [0, 1]


@pytest.mark.parametrize(
    "more", [{"id": "i" * 256}, {"id": "a\nb"}, {"source": "s" * 256}, {"user": "u" * 256}, {"user": " u"}]
)
async def test_a_command_that_could_not_be_answered_is_not_obeyed(harness: Harness, more: dict[str, str]) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        raise AssertionError("must not be called")

    assert await harness.settle(harness.commands(make), batch(replace(command(), **more))) is None

    (letters,) = harness.dead_letters()
    assert letters["Attempts"] == 1
    assert letters["Reason"].startswith(f"ce_{next(iter(more))} of a command must be 1 to 255 printable characters")

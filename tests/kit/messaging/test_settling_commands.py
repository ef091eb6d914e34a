"""Commands of a batch: each is answered once, before it is settled, as HTTP would answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.cause import Cause
from shared.errors import NotFound, Refused, UnderWay
from shared.messaging.consumer_context import Release, ReleaseReason
from shared.schemas.results import Accepted, CommandResult, Outcome
from shared.trace import Trace
from tests.kit.messaging.harness import Harness, batch
from tests.support.messaging import MakeThing, event, raw, record_of
from tests.support.waiting import until


def command(key: str = "a", data: Any = None, *, ce_type: str = "MakeThing", **more: Any) -> Any:
    body = {"ThingId": key} if data is None else data
    return replace(event(key, topic="thing.commands", data=body, **more), type=ce_type)


async def never(command: MakeThing, cause: Cause) -> Accepted:
    raise AssertionError("must not be called")


def named(result: CommandResult) -> list[str]:
    """The fields that the answer names."""
    return [error["pointer"] for error in (result.problem or {}).get("errors", ())]


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


async def test_a_command_under_way_elsewhere_waits_and_is_answered_once_3_41a(harness: Harness) -> None:
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


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_type", "ce_specversion", "a JSON object"])
async def test_what_lacks_a_required_part_is_a_dead_letter_5_24a(harness: Harness, missing: str) -> None:
    headers = [header for header in record_of(command()).headers if header[0] != missing]
    data = b"[1]" if missing == "a JSON object" else b'{"ThingId":"a"}'

    assert await harness.settle(harness.commands(never), [raw("thing.commands", b"a", data, headers)]) is None

    (letter,) = harness.dead_letters()
    assert missing in letter["Reason"]
    assert letter["Attempts"] == 1
    assert harness.answers() == []


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"id": "i" * 256}, "/ce_id"),
        ({"id": "a\nb"}, "/ce_id"),
        ({"source": "s" * 256}, "/ce_source"),
        ({"type": "t" * 256}, "/ce_type"),
        ({"user": "u" * 256}, "/ce_user"),
        ({"user": " u"}, "/ce_user"),
        ({"key": "k" * 513}, "/key"),
        ({"if_match": '"1", ' * 1000}, "/ce_ifmatch"),
        ({"trace": Trace("c" * 256)}, "/ce_correlationid"),
        ({"trace": Trace("c", None, "p" * 256)}, "/traceparent"),
    ],
)
async def test_a_bad_attribute_is_answered_refused_5_24b(harness: Harness, more: dict[str, Any], pointer: str) -> None:
    given = replace(command(), **more)

    assert await harness.settle(harness.commands(never), batch(given)) is None

    (result,) = harness.answers()
    assert (result.outcome, named(result)) == (Outcome.REFUSED, [pointer])
    assert (result.command_id, result.source) == (given.id[:255], given.source[:255])
    assert harness.dead_letters() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_time", b"yesterday"),
        ("ce_time", b"2024-06-15T09:00:00"),
        ("ce_specversion", b"0.3"),
        ("ce_id", b"\xff"),
        ("ce_user", b"\xff"),
        ("key", b"\xff"),
    ],
)
async def test_an_unreadable_attribute_is_answered_refused_5_24b(harness: Harness, name: str, value: bytes) -> None:
    given = record_of(command(id="c1"))
    headers = [*(header for header in given.headers if header[0] != name), (name, value)]
    key = value if name == "key" else b"a"

    assert await harness.settle(harness.commands(never), [raw(given.topic, key, given.value, headers)]) is None

    (result,) = harness.answers()
    assert (result.outcome, named(result)) == (Outcome.REFUSED, [f"/{name}"])
    assert result.command_id == ("\\xff" if name == "ce_id" else "c1")
    assert harness.dead_letters() == []


async def test_a_body_over_1_mib_is_refused_as_over_http_4_11e(harness: Harness) -> None:
    data = {"ThingId": "a", "AuditMetadata": {"Message": "x" * 1_048_576}}

    await harness.settle(harness.commands(never), batch(command(data=data)))

    (result,) = harness.answers()
    assert result.problem is not None
    assert result.problem["status"] == 413


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize(
    "value",
    [b"1e400", b"9" * 5000, rb'"\ud800"', b"[" * 1030 + b"]" * 1030, b"1e99999999999999999999"],
    ids=["1e400", "5,000 digits", "half a character", "1,030 levels", "an exponent of 20 digits"],
)
async def test_json_beyond_a_parser_s_limits_is_refused_and_no_dead_letter_5_24b(
    harness: Harness, value: bytes, structured: bool
) -> None:
    given = record_of(command(id="c1"))
    data, headers = b'{"ThingId": %s}' % value, list(given.headers)
    if structured:
        data = b'{"specversion":"1.0","id":"c1","source":"s","type":"MakeThing","data":%s}' % data
        headers = [("content-type", b"application/cloudevents+json")]

    assert await harness.settle(harness.commands(never), [raw(given.topic, b"a", data, headers)]) is None

    (result,) = harness.answers()
    assert (result.outcome, result.command_id, named(result)) == (Outcome.REFUSED, "c1", ["/ThingId"])
    assert harness.dead_letters() == []


async def test_a_structured_command_with_half_a_character_in_an_attribute_is_refused_5_24b(harness: Harness) -> None:
    value = rb'{"specversion":"1.0","id":"c\ud800","source":"s","type":"MakeThing","data":{"ThingId":"a"}}'
    content = [("content-type", b"application/cloudevents+json")]

    assert await harness.settle(harness.commands(never), [raw("thing.commands", b"a", value, content)]) is None

    (result,) = harness.answers()
    assert (result.outcome, named(result)) == (Outcome.REFUSED, ["/ce_id"])


async def test_a_structured_command_that_names_a_member_twice_is_refused(harness: Harness) -> None:
    data = b'{"ThingId": "a", "ThingId": "b"}'
    value = b'{"specversion":"1.0","id":"c1","source":"s","type":"MakeThing","data":%s}' % data
    content = [("content-type", b"application/cloudevents+json")]

    assert await harness.settle(harness.commands(never), [raw("thing.commands", b"a", value, content)]) is None

    (result,) = harness.answers()
    assert (result.outcome, named(result)) == (Outcome.REFUSED, ["/ThingId"])


async def test_an_answer_names_a_hundred_bad_fields_however_many_there_are(harness: Harness) -> None:
    data = {"ThingId": "a", **{f"M{number}": 1 for number in range(1000)}}

    await harness.settle(harness.commands(never), batch(command(data=data)))

    (result,) = harness.answers()
    assert len(named(result)) == 100
    assert result.problem is not None
    assert result.problem["detail"] == "the request has bad fields; see errors for the first 100 of 1000"


async def test_a_command_in_structured_mode_is_obeyed_5_2b(harness: Harness) -> None:
    async def make(command: MakeThing, cause: Cause) -> Accepted:
        return Accepted(f"{command.thing_id} by {cause.user}", 1)

    envelope = {
        "specversion": "1.0",
        "id": "c1",
        "source": "/kcat",
        "type": "MakeThing",
        "user": "jsmith",
        "data": {"ThingId": "a"},
    }
    content = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    await harness.settle(harness.commands(make), [raw("thing.commands", b"a", orjson.dumps(envelope), content)])

    (result,) = harness.answers()
    assert (result.outcome, result.command_id, result.id) == (Outcome.ACCEPTED, "c1", "a by jsmith")


async def test_a_refusal_is_kept_under_the_command_s_id_3_31(harness: Harness) -> None:
    """So the same command again gets the same answer, whatever has changed meanwhile (3.39)."""
    kept: dict[str | None, tuple[str, Refused]] = {}

    async def keep(cause: Cause, refusal: Refused) -> None:
        digest, first = kept.setdefault(cause.id, (cause.digest, refusal))
        cause.check_digest(digest)
        raise first

    async def make(command: MakeThing, cause: Cause) -> Accepted:
        raise NotFound(f"{len(kept)} are kept")

    commands = harness.commands(make)
    commands.keep_refusal = keep
    other = command(data={"ThingId": "b"}, id="c1")
    bad = command(data={"ThingId": "a", "Colour": "red"}, id="c2")
    await harness.settle(commands, batch(command(id="c1"), command(id="c1"), other, bad, command(id="c2")))

    details = [result.problem and result.problem["type"] for result in harness.answers()]
    reused = "urn:epic:problem:id-reused"
    assert details == ["urn:epic:problem:not-found"] * 2 + [reused, "urn:epic:problem:bad-input", reused]
    assert harness.answers()[1].problem == harness.answers()[0].problem

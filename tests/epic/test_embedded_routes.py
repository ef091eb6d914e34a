from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from epic.embedded_routes import EmbeddedRoutes
from epic.failure import CommandFailed
from epic.gateway import Gateway
from epic.messages import SeenRecord, wire_of
from shared.clock import parse_instant
from shared.envelope import Message, encode_headers
from shared.schemas.base import BODY_LIMIT
from shared.schemas.results import CommandResult, Outcome
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.http import pointers

NOW = "2024-06-15T09:00:00Z"


def message(data: bytes = b'{"FleetId":"F"}', topic: str = "fleet.commands") -> Message:
    return Message(topic, "DeleteFleet", "F", data, "/epic/produce", parse_instant(NOW), Trace("c"), "id-1", user="me")


def seen(number: int) -> SeenRecord:
    sent = message(topic="eventplan.ready")
    return SeenRecord(sent.topic, 0, number, 1_718_442_000_000, b"F", sent.data, tuple(encode_headers(sent)))


class FakeMessages:
    def __init__(self) -> None:
        self.produced: list[Message] = []
        self.more = asyncio.Event()
        self.asked: dict[str, Any] = {}

    async def follow(self, topic: str, *, from_beginning: bool, to_end: bool) -> AsyncIterator[SeenRecord]:
        self.asked = {"topic": topic, "from_beginning": from_beginning, "to_end": to_end}
        yield seen(0)
        if not to_end:
            await self.more.wait()
        yield seen(1)

    async def produce(self, message: Message) -> None:
        self.produced.append(message)

    async def request(self, command: Message, *, patience: float) -> CommandResult:
        if patience < 1:
            raise CommandFailed("was not answered")
        self.produced.append(command)
        return CommandResult(
            command_id=command.id, source=command.source, outcome=Outcome.ACCEPTED, id="F", version_id=2
        )


@pytest.fixture
def messages() -> FakeMessages:
    return FakeMessages()


@pytest.fixture
def door(messages: FakeMessages) -> EmbeddedRoutes:
    async def waiting() -> dict[str, int]:
        return {"ToPublish": 1, "ToHandle": 2}

    return EmbeddedRoutes(messages, waiting, FixedClock(NOW))


def client(door: EmbeddedRoutes, host: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Gateway({}, [door.routes]), client=(host, 5))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_message_arrives_as_it_was_sent(door: EmbeddedRoutes, messages: FakeMessages) -> None:
    async with client(door) as http:
        answer = await http.post("/embedded/produce", json=wire_of(message()))
    assert answer.json() == {"Id": "id-1"}
    assert messages.produced == [Message(**{**_members(message()), "subject": "F"})]


async def test_bytes_that_are_no_json_arrive_too_for_a_poison_to_be_tried(
    door: EmbeddedRoutes, messages: FakeMessages
) -> None:
    async with client(door) as http:
        await http.post("/embedded/produce", json=wire_of(message(b"\xff{")))
    assert messages.produced[0].data == b"\xff{"


async def test_a_command_gets_its_answer_or_why_there_is_none(door: EmbeddedRoutes) -> None:
    async with client(door) as http:
        answered = await http.post("/embedded/produce", json={**wire_of(message()), "AnswerWithin": 5})
        silent = await http.post("/embedded/produce", json={**wire_of(message()), "AnswerWithin": 0.5})
    assert answered.json()["Answer"] == {
        "CommandId": "id-1",
        "Source": "/epic/produce",
        "Outcome": "Accepted",
        "Id": "F",
        "VersionId": 2,
    }
    assert silent.json() == {"Id": "id-1", "Answer": None, "Detail": "was not answered"}


async def test_tail_gives_a_line_a_record_and_ends_at_the_end(door: EmbeddedRoutes, messages: FakeMessages) -> None:
    query = {"Topic": "eventplan.ready", "From": "beginning", "Follow": "false"}
    async with client(door) as http:
        answer = await http.get("/embedded/tail", params=query)
    assert [SeenRecord.read(orjson.loads(line)) for line in answer.text.splitlines()] == [seen(0), seen(1)]
    assert messages.asked == {"topic": "eventplan.ready", "from_beginning": True, "to_end": True}


async def test_an_open_tail_ends_when_the_door_closes(door: EmbeddedRoutes) -> None:
    async def soon() -> None:
        await asyncio.sleep(0)
        door.close()

    async with client(door) as http, asyncio.timeout(60):
        answer, _ = await asyncio.gather(http.get("/embedded/tail", params={"Topic": "eventplan.ready"}), soon())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "remedy", "fields"),
    [
        (b"[]", "must be one JSON object", []),
        (b"{", "not JSON", []),
        (b'{"Topic":"fleet.commands"}', "bad fields", ["/Key", "/Value", "/Headers"]),
        (b'{"Topic":7,"Key":"F","Value":"e30=","Headers":[],"More":1}', "bad fields", ["/Topic", "/More"]),
        (b'{"Topic":"fleet.commands","Key":"F","Value":"{}","Headers":[["a"],["b",7]]}', "", None),
        (b'{"Topic":"fleet.commands","Key":"F","Value":"e30=","Headers":[]}', "ce_id, ce_source", ["/Headers"]),
        (b'{"Topic":"x.y","Key":"F","Value":"","Headers":[],"AnswerWithin":0}', "bad fields", ["/AnswerWithin"]),
    ],
)
async def test_a_bad_request_is_a_problem_with_the_remedy(
    door: EmbeddedRoutes, body: bytes, remedy: str, fields: list[str] | None
) -> None:
    async with client(door) as http:
        answer = await http.post("/embedded/produce", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert remedy in answer.json()["detail"]
    assert fields in (None, pointers(answer))
    assert not re.search(r"Error|\bNone\b|<class", answer.text), "no Python in it"


async def test_embedded_routes_are_answered_as_every_other_route_is(door: EmbeddedRoutes) -> None:
    async with client(door) as http:
        many = await http.post("/embedded/produce", json={"Value": "x" * 2 * BODY_LIMIT})
        assert (many.status_code, many.json()["type"]) == (413, "urn:epic:problem:too-large")
        csv = await http.get("/embedded/waiting", headers={"Accept": "text/csv"})
        assert (csv.status_code, csv.json()["type"]) == (406, "urn:epic:problem:not-acceptable")
        method = await http.put("/embedded/produce", json={})
        assert (method.status_code, method.headers["allow"]) == (405, "OPTIONS, POST")
        other = await http.get("/embedded/tail", params={"Topic": "eventplan.ready", "Form": "beginning"})
        assert (other.status_code, pointers(other)) == (400, ["/Form"])
        nothing = await http.get("/embedded/nothing")
        assert (nothing.status_code, nothing.json()["detail"].partition("; ")[2]) == (404, "GET / lists what there is")
        waiting = await http.get("/embedded/waiting", headers={"X-Correlation-Id": "c-1"})
        assert (waiting.status_code, waiting.headers["x-correlation-id"]) == (200, "c-1")


async def test_a_command_of_the_largest_body_can_be_produced(door: EmbeddedRoutes, messages: FakeMessages) -> None:
    async with client(door) as http:
        answer = await http.post("/embedded/produce", json=wire_of(message(b"x" * BODY_LIMIT)))
    assert (answer.status_code, len(messages.produced[0].data)) == (200, BODY_LIMIT)


async def test_a_record_that_cannot_be_produced_is_500_with_the_reason(
    door: EmbeddedRoutes, messages: FakeMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def produce(_: Message) -> None:
        raise CommandFailed("this EPIC did not take the message")

    monkeypatch.setattr(messages, "produce", produce)
    async with client(door) as http:
        answer = await http.post("/embedded/produce", json=wire_of(message()))
    assert (answer.status_code, answer.json()["detail"]) == (500, "this EPIC did not take the message")


async def test_an_unknown_topic_is_a_404(door: EmbeddedRoutes) -> None:
    async with client(door) as http:
        for answer in (
            await http.get("/embedded/tail", params={"Topic": "no.such"}),
            await http.post("/embedded/produce", json=wire_of(message(topic="no.such"))),
        ):
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:epic:problem:no-such-topic")


@pytest.mark.parametrize("host", ["10.0.0.7", "2001:db8::1", "testclient", ""])
async def test_only_this_machine_is_let_in(door: EmbeddedRoutes, messages: FakeMessages, host: str) -> None:
    async with client(door, host) as http:
        for answer in (
            await http.post("/embedded/produce", json=wire_of(message())),
            await http.get("/embedded/tail", params={"Topic": "eventplan.ready"}),
            await http.get("/embedded/waiting"),
        ):
            assert answer.status_code == 403
    assert messages.produced == []


async def test_what_a_web_page_could_send_unasked_is_refused(door: EmbeddedRoutes, messages: FakeMessages) -> None:
    async with client(door) as http:
        answer = await http.post(
            "/embedded/produce", content=orjson.dumps(wire_of(message())), headers={"content-type": "text/plain"}
        )
    assert (answer.status_code, messages.produced) == (400, [])


async def test_a_tail_without_records_sends_empty_lines_so_that_it_is_not_taken_for_dead(
    door: EmbeddedRoutes, messages: FakeMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epic.embedded_routes._KEEP_ALIVE", 0.001)
    lines = door._lines(messages.follow("eventplan.ready", from_beginning=True, to_end=False))
    async with asyncio.timeout(60):
        got = [await anext(lines) for _ in range(3)]
        messages.more.set()
        rest = [line async for line in lines if line.strip()]
    assert got[1:] == [b"\n", b"\n"]
    assert [SeenRecord.read(orjson.loads(line)) for line in (got[0], *rest)] == [seen(0), seen(1)]


async def test_waiting_counts_what_is_under_way(door: EmbeddedRoutes) -> None:
    async with client(door, "::1") as http:
        assert (await http.get("/embedded/waiting")).json() == {"ToPublish": 1, "ToHandle": 2}


def _members(sent: Message) -> dict[str, Any]:
    return {name: getattr(sent, name) for name in Message.__dataclass_fields__}


def test_a_record_survives_its_way_over_json() -> None:
    odd = SeenRecord("t", 1, 2, 3, None, b"\xff\x00", (("ce_id", b"\xfe"),))
    assert SeenRecord.read(orjson.loads(orjson.dumps(odd.wire()))) == odd
    assert base64.b64decode(odd.wire()["Value"]) == b"\xff\x00"

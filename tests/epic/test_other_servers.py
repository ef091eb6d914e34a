"""What the ``epic`` command does where something else answers than EPIC, or nothing does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from epic.api import Api
from epic.failure import CommandFailed, NotEpic, Unreachable
from epic.messages import HttpMessages, SeenRecord, TransportMessages
from tests.epic.fake import Asked, FakeEpic, accepted
from tests.support.epic_command import Run

HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<p>Hi"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LINE = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n"


@asynccontextmanager
async def server(reply: bytes, first: Callable[[], Awaitable[object]] | None = None) -> AsyncIterator[str]:
    """A server that answers with these bytes, once ``first`` is over, and then is silent until the client goes."""
    serving: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if first is not None:
                await first()
            writer.write(reply)
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        await asyncio.gather(*(task for task in serving if task))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("api", "messages", "rewinding"):
        monkeypatch.setattr(f"epic.{module}.SILENCE", 0.2)


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("reply", [HTML, b"SSH-2.0-OpenSSH_9.2\r\n", b"+PONG\r\n"])
async def test_another_server_is_not_epic(reply: bytes) -> None:
    async with server(reply) as url, Api(url) as api:
        with pytest.raises(NotEpic, match=f"what answers at {url} is not EPIC .*; give EPIC's address by --url"):
            await api.call("GET", "/fleet_svc/dlq")
    async with server(reply) as url, Api(url) as api:
        with pytest.raises(NotEpic):
            await all_of(HttpMessages(api))


@pytest.mark.parametrize("banner", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
async def test_a_server_that_closes_the_connection_at_once_is_not_epic(banner: bytes) -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        writer.close()

    listening = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening, Api(url) as api:
        with pytest.raises(NotEpic):
            await api.call("GET", "/fleet_svc/dlq")
        with pytest.raises(NotEpic):
            await all_of(HttpMessages(api))


@pytest.mark.parametrize(
    "answer", [(200, []), (200, {"Items": 3}), (200, {}), (404, {"detail": "Not Found"}), (302, {})]
)
async def test_an_answer_of_another_form_is_not_epics(answer: tuple[int, Any]) -> None:
    async with FakeEpic(lambda _: answer).running() as fake, Api(fake.url) as api:
        with pytest.raises(NotEpic):
            await api.items("/fleet_svc/dlq")


@pytest.mark.parametrize("answer", [(200, {"a": 1}), (200, [1]), (200, "x"), (404, {"detail": "Not Found"})])
async def test_a_stream_of_something_else_is_not_epics(answer: tuple[int, Any]) -> None:
    async with FakeEpic(lambda _: answer).running() as fake, Api(fake.url) as api:
        with pytest.raises(NotEpic):
            await all_of(HttpMessages(api))


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_never_answers_is_given_up(mute: str) -> None:
    async with Api(f"http://{mute}") as api:
        with pytest.raises(Unreachable, match=r"nothing answers at .* \(no answer in time\)"):
            await api.call("GET", "/")


@pytest.mark.usefixtures("impatient")
async def test_a_stream_that_falls_silent_is_given_up() -> None:
    async with server(LINE) as url, Api(url) as api:
        with pytest.raises(CommandFailed, match=r"stopped answering \(no answer in time\)"):
            await all_of(HttpMessages(api))


async def test_a_command_may_take_as_long_as_its_asker_waits(monkeypatch: pytest.MonkeyPatch, mute: str) -> None:
    monkeypatch.setattr("epic.api.SILENCE", 0.1)
    given_up = asyncio.Event()

    async def another() -> None:
        async with Api(f"http://{mute}") as api:
            with pytest.raises(Unreachable):
                await api.call("GET", "/")
        given_up.set()

    async with server(EMPTY, given_up.wait) as url, Api(url) as api:
        answer, _ = await asyncio.gather(api.call("GET", "/", answered_within=60), another())
    assert answer.ok


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("arguments", [("tail", "event.created"), ("rewind", "event_svc")])
def test_a_kafka_that_never_answers_is_given_up(run: Run, mute: str, arguments: tuple[str, ...]) -> None:
    code, _, err = run(*arguments, "--bootstrap-servers", mute)
    assert code == 2
    assert f"at {mute}" in err.splitlines()[-1]


@pytest.mark.usefixtures("impatient")
async def test_a_tail_asks_a_silent_broker_whether_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        await asyncio.Event().wait()
        yield

    class Away:
        async def ping(self, timeout: float) -> None:
            raise KafkaConnectionError("away")

    monkeypatch.setattr("epic.messages.follow_records", silent)
    transport: Any = Away()
    with pytest.raises(KafkaConnectionError):
        await all_of(TransportMessages(transport, "Kafka"))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "answer", [(200, {"status": "ok"}), (200, {"Items": [{"a": 1}]}), (301, {}, {"Location": "/elsewhere"}), (404, {})]
)
def test_no_command_takes_another_server_for_epic(
    run: Run, epic: FakeEpic, tmp_path: Path, answer: tuple[Any, ...]
) -> None:
    epic.answer = lambda _: answer
    row, data = tmp_path / "a.ndjson", tmp_path / "a.json"
    row.write_text('{"ServiceId":"A","ServiceType":"Registered","Owner":"o"}\n')
    data.write_text('{"FleetId": "F", "HostsPresent": 150}')
    produce = ("produce", "fleet.commands", "-t", "ReportInventory", "-k", "F", str(data))
    letter = "hotw_svc.commands:hotw.commands:3:17"
    for arguments in (
        ("load", str(row)),
        produce,
        (*produce, "--no-wait"),
        ("tail", "event.created", "--no-follow"),
        ("dlq", "list"),
        ("dlq", "show", letter),
        ("dlq", "replay", letter),
        ("dlq", "drop", letter, "--yes"),
    ):
        code, out, err = run(*arguments, "--url", epic.url)
        assert code == 2, arguments
        assert "loaded" not in out
        assert err.startswith(f"epic: what answers at {epic.url} is not EPIC (")
        assert err.count("\n") == 1
    assert not any("elsewhere" in asked.path for asked in epic.asked)


def answered_with(result: dict[str, Any], asked: Asked) -> tuple[int, Any]:
    return 200, {**accepted(asked)[1], **result}


def test_an_answer_to_a_command_that_is_no_result_is_not_epics(run: Run, epic: FakeEpic, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"FleetId": "F", "HostsPresent": 150}')
    for result in ({}, {"Answer": None}, {"Answer": 3}, {"Answer": {"Outcome": "Accepted"}}):
        epic.answer = partial(answered_with, result)
        code, _, err = run(
            "produce", "fleet.commands", "-t", "ReportInventory", "-k", "F", str(file), "--url", epic.url
        )
        assert code == 2
        assert "is not EPIC" in err


def test_nobody_at_the_address_is_one_line_and_exit_code_2(run: Run) -> None:
    code, out, err = run("dlq", "list", "--url", "http://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "nothing answers at http://127.0.0.1:1" in err


def test_a_bad_address_and_an_unknown_variable_are_refused_with_the_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("dlq", "list", "--url", "localhost:1")[::2] == (
        2,
        "epic: --url localhost:1 is not an address; give one such as http://127.0.0.1:8000\n",
    )
    monkeypatch.setenv("EPIC_HTP_PORT", "1")
    code, _, err = run("dlq", "list")
    assert code == 2
    assert "EPIC_HTP_PORT is not a variable of EPIC; did you mean EPIC_HTTP_PORT?" in err


async def all_of(messages: HttpMessages | TransportMessages) -> list[SeenRecord]:
    return [record async for record in messages.follow("event.created", from_beginning=True, to_end=False)]

"""What the server does with a connection before a service sees a request: limits, deadlines and its own refusals."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import orjson
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response

from epic import http_protocol
from epic.serving import uvicorn_server
from shared.metrics import Metrics
from shared.schemas.base import BODY_LIMIT
from shared.settings import Settings
from shared.web import Routes, create_app, json_response
from shared.web.routing import BODY
from tests.support.waiting import until

pytestmark = pytest.mark.slow


class Server:
    """An application behind a real socket; ``ask`` sends bytes and gives what comes back until the server closes."""

    def __init__(self, port: int, metrics: Metrics) -> None:
        self.port = port
        self.metrics = metrics

    async def ask(self, *parts: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


def routes() -> Routes:
    routes = Routes("test")

    async def echo(request: Request) -> Response:
        headers = [name.decode() for name, _ in request.scope["headers"]]
        return json_response({"Bytes": len(request.scope.get(BODY, b"")), "Headers": headers})

    routes.add("PUT", "/echo", echo, action="test.write", summary="Echo", conditional=False)
    return routes


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    metrics = Metrics()
    app = create_app("test_svc", routes=[routes()], metrics=metrics)
    taken = socket.create_server(("127.0.0.1", 0))
    uvicorn = uvicorn_server(app, Settings(data_dir=tmp_path))
    serving = asyncio.create_task(uvicorn.serve([taken]))
    await until(lambda: uvicorn.started, "the server listens")
    yield Server(taken.getsockname()[1], metrics)
    uvicorn.should_exit = True
    await serving
    taken.close()


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT", 0.05)


def head(*fields: str, method: str = "GET", path: str = "/health/live") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def status_and_problem(answer: bytes) -> tuple[int, str, str]:
    """The status, the problem's slug and its instance; the answer must be a whole one that ends the connection."""
    begin, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = begin.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    assert headers["date"]
    problem = orjson.loads(body)
    assert first.startswith(f"HTTP/1.1 {problem['status']} ")
    return problem["status"], problem["type"].removeprefix("urn:epic:problem:"), problem["instance"]


CLOSE = "Connection: close"
JSON = "Content-Type: application/json"


async def test_as_many_and_as_large_header_fields_as_may_be_are_answered(server: Server) -> None:
    many = head(CLOSE, *(f"X-{n}: 1" for n in range(98)))
    large = head(CLOSE, f"X-Large: {'x' * (http_protocol.MAX_HEAD_BYTES - 100)}")
    for request in (many, large):
        assert (await server.ask(request)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "parts",
    [
        [head(*(f"X-{n}: 1" for n in range(100)))],
        [head(f"X-Large: {'x' * http_protocol.MAX_HEAD_BYTES}")],
        [head(*(f"X-{n}: {'x' * 900}" for n in range(90)))],
        [head(path="/health/live?" + "x" * http_protocol.MAX_HEAD_BYTES)],
        [head("X-Endless: ")[:-4], b"x" * http_protocol.MAX_HEAD_BYTES],
    ],
    ids=["101 fields", "one large field", "many large fields", "a large path", "a field without an end"],
)
async def test_more_or_larger_header_fields_are_431(server: Server, parts: list[bytes]) -> None:
    assert status_and_problem(await server.ask(*parts)) == (431, "headers-too-large", "/health/live")


async def test_a_body_does_not_count_as_header_fields(server: Server) -> None:
    size = 4 * http_protocol.MAX_HEAD_BYTES
    whole = head(CLOSE, JSON, f"Content-Length: {size}", method="PUT", path="/echo") + b"x" * size
    chunks = head(CLOSE, JSON, "Transfer-Encoding: chunked", method="PUT", path="/echo") + b"4\r\nabcd\r\n" * 20_000
    for request, length in ((whole, size), (chunks + b"0\r\n\r\n", 80_000)):
        answer = await server.ask(request)
        assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["Bytes"] == length


async def test_a_trailer_field_is_no_header_field(server: Server) -> None:
    request = head(CLOSE, JSON, "Transfer-Encoding: chunked", method="PUT", path="/echo")
    answer = await server.ask(request + b"2\r\n{}\r\n0\r\nX-Epic-User: ann\r\n\r\n")
    assert "x-epic-user" not in orjson.loads(answer.partition(b"\r\n\r\n")[2])["Headers"]
    endless = await server.ask(request + b"2\r\n{}\r\n0\r\nX-Endless: ", b"x" * 8 * http_protocol.MAX_HEAD_BYTES)
    assert status_and_problem(endless) == (431, "headers-too-large", "/echo")


async def test_what_is_no_http_is_400(server: Server) -> None:
    for request in (
        b"\x16\x03\x01\x02\x00\x01",
        b"no request\r\n\r\n",
        b"GET no-path HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",  # RFC 9112, 3.2.4: OPTIONS alone has it
        b"PUT /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",  # RFC 9112, 6.3
        b"GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://ann@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    ):
        assert status_and_problem(await server.ask(request))[:2] == (400, "bad-request"), request


async def test_a_method_that_epic_does_not_know_is_501(server: Server) -> None:
    for method, target in (("FOO", "/echo"), ("get", "/echo"), ("BREW", "*"), ("CONNECT", "localhost:443")):
        answer = status_and_problem(await server.ask(head(method=method, path=target)))
        assert answer[:2] == (501, "not-implemented"), method


async def test_a_method_that_epic_knows_and_a_path_has_not_is_405_with_allow(server: Server) -> None:
    for method in ("PATCH", "TRACE", "PROPFIND", "DELETE"):
        answer = await server.ask(head(CLOSE, method=method))
        assert statuses(answer) == [b"405"], method
        assert b"\r\nallow: GET, HEAD, OPTIONS\r\n" in answer


async def test_another_version_of_http_is_505(server: Server) -> None:
    for version in ("0.9", "1.2", "2.0", "3.0", "9.9"):
        request = f"GET /health/live HTTP/{version}\r\nHost: localhost\r\n\r\n".encode()
        assert status_and_problem(await server.ask(request))[:2] == (505, "http-version"), version
    preface = status_and_problem(await server.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    assert preface[:2] == (505, "http-version")


async def test_a_transfer_coding_other_than_chunked_is_501(server: Server) -> None:
    for coding in ("gzip", "gzip, chunked", "identity"):
        request = head(JSON, f"Transfer-Encoding: {coding}", method="PUT", path="/echo") + b"2\r\n{}\r\n0\r\n\r\n"
        assert status_and_problem(await server.ask(request))[:2] == (501, "not-implemented"), coding


async def test_options_of_the_server_as_a_whole_names_every_method(server: Server) -> None:
    answer = await server.ask(head(CLOSE, method="OPTIONS", path="*"))
    assert statuses(answer) == [b"204"]
    assert b"\r\nallow: DELETE, GET, HEAD, OPTIONS, POST, PUT\r\n" in answer


async def test_the_host_of_an_absolute_target_counts(server: Server) -> None:
    for target, host, status in (
        ("http://localhost/health/live", "localhost", b"200"),
        ("HTTP://localhost:8000/echo?a=1", "evil.example", b"200"),  # the target's host counts
        ("http://localhost", "localhost", b"404"),
        ("http://localhost?a=1", "localhost", b"404"),
        ("http://evil.example/echo", "localhost", b"400"),
        ("http://evil.example/health/live", "localhost", b"200"),  # as with this Host: a probe asks by address
    ):
        method = "PUT" if "echo" in target else "GET"
        request = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{CLOSE}\r\n\r\n".encode()
        assert statuses(await server.ask(request)) == [status], target


async def test_http_1_1_without_a_host_or_with_two_is_400(server: Server) -> None:
    for fields in ("", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil.example\r\n"):
        for target in ("/health/live", "/echo", "http://localhost/echo"):
            answer = await server.ask(f"GET {target} HTTP/1.1\r\n{fields}{CLOSE}\r\n\r\n".encode())
            assert statuses(answer) == [b"400"], (fields, target)
    assert statuses(await server.ask(b"GET /health/live HTTP/1.0\r\n\r\n")) == [b"200"]


async def test_a_body_over_the_limit_is_413_by_its_content_length_alone(server: Server) -> None:
    for method in ("PUT", "GET"):
        request = head(
            CLOSE, JSON, "Expect: 100-continue", f"Content-Length: {BODY_LIMIT + 1}", method=method, path="/echo"
        )
        assert statuses(await server.ask(request)) == [b"413"]


async def test_the_body_of_a_read_is_passed_over_and_the_next_request_answered(server: Server) -> None:
    body = b"x" * BODY_LIMIT
    reads = head(f"Content-Length: {len(body)}") + body + head("Transfer-Encoding: chunked")
    answers = await server.ask(reads + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + head(CLOSE))
    assert statuses(answers) == [b"200"] * 3


async def test_a_body_that_is_no_chunk_is_400_and_not_handled(server: Server) -> None:
    answer = await server.ask(head("Transfer-Encoding: chunked", method="PUT", path="/echo"), b"not a size\r\n")
    assert status_and_problem(answer) == (400, "bad-request", "/echo")


@pytest.mark.parametrize(
    "sent",
    [
        head()[:-2],
        head("Content-Length: 10", method="PUT", path="/health/live") + b"{",
        head("Transfer-Encoding: chunked", method="PUT", path="/health/live") + b"1\r\n{\r\n",
    ],
    ids=["header fields", "body", "chunks"],
)
@pytest.mark.usefixtures("in_no_time")
async def test_a_request_that_does_not_arrive_in_time_is_408(server: Server, sent: bytes) -> None:
    assert status_and_problem(await server.ask(sent)) == (408, "request-timeout", "/health/live")


async def test_each_further_mib_of_a_body_has_the_whole_time_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "BODY_LIMIT", 1000)
    begun = 0
    watch = http_protocol.HttpProtocol._watch

    def counted(protocol: http_protocol.HttpProtocol) -> None:
        nonlocal begun
        begun += protocol._deadline is None
        watch(protocol)

    def begun_since(before: int) -> bool:
        return begun > before

    monkeypatch.setattr(http_protocol.HttpProtocol, "_watch", counted)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head("Content-Length: 3500", CLOSE, JSON, method="PUT", path="/echo"))
    for piece in (1, 2, 3):
        before = begun
        writer.write(b"x" * 1000)
        await until(partial(begun_since, before), f"the time begins again after piece {piece}")
    writer.write(b"x" * 500)
    async with asyncio.timeout(10):
        assert b'"Bytes":3500' in await reader.read()
    writer.close()


@pytest.mark.usefixtures("in_no_time")
async def test_a_connection_without_a_request_is_closed_without_an_answer(server: Server) -> None:
    assert await server.ask() == b""
    assert await server.ask(b"\r\n") == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head())
    assert await reader.readuntil(b'{"Status":"Alive"}')
    writer.write(b"\r\n")  # ends the wait for the next request, and is none
    async with asyncio.timeout(3):
        assert await reader.read() == b""
    writer.close()


async def test_a_client_that_goes_is_neither_an_error_nor_a_500(server: Server) -> None:
    with structlog.testing.capture_logs() as lines:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head("Content-Length: 10", method="PUT", path="/echo") + b"{")
        await writer.drain()
        await until(lambda: _in_progress(server, 1), "the request is being read")
        writer.close()
        await until(lambda: _in_progress(server, 0), "the request has ended")
    assert b'status="499"' in server.metrics.render()
    assert b'status="500"' not in server.metrics.render()
    assert not [line for line in lines if line["log_level"] in ("error", "critical")]


def _in_progress(server: Server, count: int) -> bool:
    return f"epic_http_requests_in_progress {count}.0".encode() in server.metrics.render()


async def test_the_answer_to_head_has_no_body(server: Server) -> None:
    answer = await server.ask(head(CLOSE, method="HEAD"))
    begin, _, body = answer.partition(b"\r\n\r\n")
    assert (begin.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"")
    assert f"content-length: {len(orjson.dumps({'Status': 'Alive'}))}".encode() in begin


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)


async def test_a_refused_request_costs_an_earlier_one_no_answer(server: Server) -> None:
    write = head("Content-Type: application/json", "Content-Length: 2", method="PUT", path="/echo") + b"{}"
    chunked = head("Content-Type: application/json", "Transfer-Encoding: chunked", method="PUT", path="/echo")
    for status, refused in {
        b"400": b"GARBAGE\r\n\r\n",
        b"431": head(*(f"X-{number}: 1" for number in range(101))),
        b"400 ": chunked + b"no chunk\r\n\r\n",
    }.items():
        for parts in ([write + refused], [write, refused], [write + write + refused]):
            complete = b"".join(parts).count(write)
            assert statuses(await server.ask(*parts)) == [b"200"] * complete + [status.strip()]


async def test_header_fields_behind_another_request_and_trailers_are_limited(server: Server) -> None:
    assert statuses(await server.ask(head() + head(f"X: {'x' * 70_000}"))) == [b"200", b"431"]
    chunked = head("Content-Type: application/json", "Transfer-Encoding: chunked", method="PUT", path="/echo")
    for trailer in (f"X: {'x' * 70_000}\r\n".encode(), b"X: 1\r\n" * 101):
        assert statuses(await server.ask(chunked + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")) == [b"431"]

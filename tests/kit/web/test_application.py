"""What every service's application does with a request, whatever its routes."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response

from shared.cause import Cause
from shared.errors import BadInput, Conflict, FieldError, NotFound, Refused, Unavailable, UnderWay
from shared.schemas.base import BODY_LIMIT
from shared.trace import add_trace_ids, current_trace
from shared.web import Check, Routes, Unready, json_response, read_write
from tests.support.clock import FixedClock
from tests.support.http import app_of, calling, pointers

CLOCK = FixedClock("2024-06-15T09:00:00Z")
JSON = {"Content-Type": "application/json"}


def routes() -> Routes:
    routes = Routes("test")

    async def echo(request: Request) -> Response:
        body, cause = read_write(request, CLOCK)
        return json_response(
            {"Body": body, "User": cause.user, "Id": cause.id, "Correlation": cause.trace.correlation_id}
        )

    async def fail(request: Request) -> Response:
        errors: dict[str, Exception] = {
            "bad": BadInput("no", [FieldError("/A", "mend it")]),
            "conflict": Conflict("it is there", slug="exists"),
            "under-way": UnderWay("wait", retry_after=3),
            "away": Unavailable("the store is away", retry_after=7),
            "bug": ZeroDivisionError("secret of the house"),
        }
        raise errors[request.path_params["Kind"]]

    routes.add("PUT", "/echo", echo, action="test.write", summary="Echo")
    routes.add("GET", "/fail/{Kind}", fail, action="test.read", summary="Fail")
    routes.add("DELETE", "/fail/{Kind}", fail, action="test.read", summary="Fail")
    return routes


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app_of(routes())) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "status", "slug", "retry"),
    [
        ("bad", 400, "bad-input", None),
        ("conflict", 409, "exists", None),
        ("under-way", 409, "under-way", "3"),
        ("away", 503, "unavailable", "7"),
        ("bug", 500, "internal", None),
    ],
)
async def test_every_error_is_a_problem(
    http: httpx.AsyncClient, kind: str, status: int, slug: str, retry: str | None
) -> None:
    answer = await http.get(f"/fail/{kind}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") == retry
    problem = answer.json()
    assert (problem["type"], problem["status"], problem["instance"]) == (
        f"urn:epic:problem:{slug}",
        status,
        f"/fail/{kind}",
    )
    assert "secret" not in answer.text
    assert answer.headers["x-correlation-id"]


async def test_no_such_path_and_no_such_method_are_problems_too(http: httpx.AsyncClient) -> None:
    nowhere = await http.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, "urn:epic:problem:no-such-path")
    assert nowhere.json()["detail"] == "there is no /nowhere; the openapi.json of test_svc lists what there is"
    wrong = await http.post("/fail/bad")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
    assert wrong.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"x"', b'{"A": NaN}', b'{"A": Infinity}', b'{"A": "\xff"}', b"\x00", b"null"]
)
async def test_a_body_that_is_no_json_object_is_400(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.put("/echo", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_body_over_the_limit_is_413_announced_or_in_chunks(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 40_000

    large = await http.put("/echo", content=b'{"A": "' + b"x" * BODY_LIMIT + b'"}', headers=JSON)
    assert large.status_code == 413
    in_chunks = await http.put("/echo", content=chunks())
    assert (in_chunks.status_code, in_chunks.json()["type"]) == (413, "urn:epic:problem:too-large")
    just = b'{"A": "' + b"x" * (BODY_LIMIT - 9) + b'"}'
    assert len(just) == BODY_LIMIT
    assert (await http.put("/echo", content=just, headers=JSON)).status_code == 200


async def test_a_body_over_the_limit_is_413_by_its_content_length_without_being_read() -> None:
    async def receive() -> Any:
        raise AssertionError("the body is read")

    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    for method in ("PUT", "GET"):
        headers = [(b"host", b"localhost"), (b"content-length", str(BODY_LIMIT + 1).encode())]
        scope = {"type": "http", "method": method, "path": "/echo", "query_string": b"", "headers": headers}
        await app_of(routes())(scope, receive, send)
    assert [message["status"] for message in answered if message["type"] == "http.response.start"] == [413, 413]


async def test_a_body_in_another_coding_than_gzip_is_415_with_the_one_that_is_taken(http: httpx.AsyncClient) -> None:
    for coding in ("br", "deflate", "gzip, identity", "gzip, gzip"):
        answer = await http.put("/echo", content=gzip.compress(b"{}"), headers={**JSON, "Content-Encoding": coding})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
        assert answer.json()["type"] == "urn:epic:problem:bad-content-encoding"
    assert (await http.put("/echo", json={}, headers={"Content-Encoding": "Identity"})).status_code == 200


async def test_a_compressed_body_is_what_it_was_before(http: httpx.AsyncClient) -> None:
    """4.534."""
    for coding in ("gzip", "GZIP", "x-gzip"):
        content = gzip.compress(b'{"Name": "ann"}')
        answer = await http.put("/echo", content=content, headers={**JSON, "Content-Encoding": coding})
        assert (answer.status_code, answer.json()["Body"]) == (200, {"Name": "ann"})


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"!", gzip.compress(b"{") + gzip.compress(b"}")],
    ids=["nothing", "plain", "cut off", "more behind it", "two members"],
)
async def test_what_is_not_one_whole_gzip_member_is_400(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.put("/echo", content=content, headers={**JSON, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:epic:problem:bad-gzip")


async def test_a_small_body_that_holds_a_large_one_is_413_without_making_it(http: httpx.AsyncClient) -> None:
    bomb = zlib.compressobj(1, wbits=31)
    content = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(100)) + bomb.flush()
    assert len(content) < BODY_LIMIT
    tracemalloc.start()
    answer = await http.put("/echo", content=content, headers={**JSON, "Content-Encoding": "gzip"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 8 * BODY_LIMIT  # of the hundred megabytes that the body would be
    largest = gzip.compress(b'"' + b"x" * (BODY_LIMIT - 2) + b'"')
    assert (await http.put("/echo", content=largest, headers={**JSON, "Content-Encoding": "gzip"})).status_code == 400


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Host", ("localhost", "localhost")),  # RFC 9112, 3.2: not even the same twice
        ("Host", ("localhost", "evil.example")),
        ("Content-Type", ("application/json", "text/plain")),
        ("Idempotency-Key", ("k1", "k2")),
        ("X-Epic-User", ("ann", "bob")),
        ("Origin", ("http://localhost", "http://evil.example")),
        ("Sec-Fetch-Site", ("same-origin", "cross-site")),
        ("X-Correlation-Id", ("c1", "c2")),
    ],
)
async def test_a_header_of_one_value_that_has_two_is_400(
    http: httpx.AsyncClient, name: str, values: tuple[str, str]
) -> None:
    for order in (values, values[::-1]):
        answer = await http.put("/echo", headers=httpx.Headers([(name, value) for value in order]))
        assert (answer.status_code, pointers(answer)) == (400, [f"/{name}"])
        assert answer.json()["type"] == "urn:epic:problem:duplicate-header"


async def test_a_header_that_is_a_list_or_has_one_value_twice_is_no_error(http: httpx.AsyncClient) -> None:
    twice = httpx.Headers([("X-Epic-User", "ann")] * 2 + [("Accept", "text/html"), ("Accept", "application/json")])
    answer = await http.put("/echo", headers=twice)
    assert (answer.status_code, answer.json()["User"]) == (200, "ann")


async def test_half_a_body_of_a_client_that_went_is_never_handled() -> None:
    called = False

    async def never(request: Request) -> Response:
        nonlocal called
        called = True
        return json_response({})

    one = Routes("test")
    one.add("PUT", "/never", never, action="test.read", summary="Never")
    messages = [{"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}]
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/never",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")],
    }

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await app_of(one)(scope, receive, send)
    assert not called


async def test_the_callers_correlation_id_is_kept_and_given_back(http: httpx.AsyncClient) -> None:
    answer = await http.put("/echo", headers={"X-Correlation-Id": "order-66"})
    assert (answer.headers["x-correlation-id"], answer.json()["Correlation"]) == ("order-66", "order-66")
    other = await http.put("/echo", headers={"X-Correlation-Id": "x" * 500})
    assert len(other.headers["x-correlation-id"]) == 32


async def test_ids_are_in_the_log_lines_of_their_own_request_only() -> None:
    lines: list[dict[str, Any]] = []
    routes = Routes("test")

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0)
        structlog.get_logger("rules").info("handled", trace=current_trace().correlation_id)
        return json_response({})

    routes.add("GET", "/slow", slow, action="test.read", summary="Slow")
    with structlog.testing.capture_logs(processors=[add_trace_ids]) as captured:
        async with calling(app_of(routes)) as client:
            ids = [f"id-{n}" for n in range(5)]
            await asyncio.gather(*(client.get("/slow", headers={"X-Correlation-Id": one}) for one in ids))
    lines = [line for line in captured if line["event"] == "handled"]  # type: ignore[misc]
    assert sorted(line["correlation_id"] for line in lines) == ids
    assert all(line["correlation_id"] == line["trace"] for line in lines)


async def test_who_asks_is_the_header_then_the_body_then_nobody(http: httpx.AsyncClient) -> None:
    body = {"AuditMetadata": {"User": "jsmith"}}
    assert (await http.put("/echo", json=body, headers={"X-Epic-User": "ann"})).json()["User"] == "ann"
    assert (await http.put("/echo", json=body)).json()["User"] == "jsmith"
    assert (await http.put("/echo")).json()["User"] == "anonymous"
    keyed = await http.put("/echo?a=1", json=body, headers={"Idempotency-Key": "k"})
    assert keyed.json()["Id"] == "\njsmith\n/echo?a=1\nk"
    for unusable in ("x" * 256, "", "\xa0ann"):  # what no event could carry as its User
        bad = await http.put("/echo", headers={"X-Epic-User": unusable.encode("latin-1")})  # type: ignore[arg-type]
        assert (bad.status_code, pointers(bad)) == (400, ["/X-Epic-User"])


async def test_the_refusal_of_a_keyed_write_is_kept_before_it_is_answered() -> None:
    kept: dict[str, tuple[str, Refused]] = {}

    async def keep(cause: Cause, refusal: Refused) -> None:
        digest, first = kept.setdefault(str(cause.id), (cause.digest, refusal))
        if digest != cause.digest:
            raise Conflict("another body", slug="id-reused")
        raise first

    routes = Routes("test")

    async def refuse(request: Request) -> Response:
        body, _ = read_write(request, CLOCK)
        raise NotFound(f"no {len(kept)} {body}")

    routes.add("PUT", "/refuse", refuse, action="test.read", summary="Refuse")
    async with calling(app_of(routes, keep_refusal=keep)) as client:
        key = {"Idempotency-Key": "k"}
        first = await client.put("/refuse", json={"A": 1}, headers=key)
        assert (first.status_code, first.json()["detail"]) == (404, "no 0 {'A': 1}")
        assert (await client.put("/refuse", json={"A": 1}, headers=key)).content == first.content
        assert (await client.put("/refuse", json={"A": 2}, headers=key)).status_code == 409
        assert (await client.put("/refuse", json={"A": 2})).status_code == 404


async def test_live_is_alive_and_ready_asks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    async def well() -> dict[str, int]:
        return {"Open": 3}

    async def ill() -> None:
        raise Unready("the broker is away")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async with calling(app_of(checks=[Check("store", well)])) as client:
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (
            200,
            {"Status": "Ready", "Checks": {"store": {"Status": "Ok", "Open": 3}}},
        )
    async with calling(app_of(checks=[Check("store", well), Check("broker", ill)])) as client:
        unready = await client.get("/health/ready")
        assert unready.status_code == 503
        assert unready.json()["Checks"]["broker"] == {"Status": "Failed", "Detail": "the broker is away"}

    with structlog.testing.capture_logs() as lines:
        async with calling(app_of(checks=[Check("broker", ill)])) as client:
            assert [(await client.get("/health/ready")).status_code for _ in range(3)] == [503] * 3
    assert [(line["event"], line["broker"]) for line in lines] == [("not ready", "the broker is away")], "once"

    monkeypatch.setattr("shared.web.app._CHECK_TIMEOUT", 0.01)
    async with calling(app_of(checks=[Check("store", hangs)])) as client:
        hung = await client.get("/health/ready")
        assert (hung.status_code, hung.json()["Checks"]["store"]["Status"]) == (503, "Failed")


async def test_requests_are_counted_by_route_not_by_path(http: httpx.AsyncClient) -> None:
    await http.get("/fail/bad")
    await http.get("/fail/conflict")
    await http.get("/nowhere")
    text = (await http.get("/metrics")).text
    assert 'epic_http_requests_total{method="GET",route="/fail/{Kind}",status="400"} 1.0' in text
    assert 'route="none",status="404"' in text


async def test_no_origin_is_allowed_unless_it_is_set(http: httpx.AsyncClient) -> None:
    assert "access-control-allow-origin" not in (await http.get("/fail/bad", headers={"Origin": "http://a"})).headers
    async with calling(app_of(routes(), cors_origins=["http://a"])) as client:
        answer = await client.put("/echo", headers={"Origin": "http://a"})
        assert answer.headers["access-control-allow-origin"] == "http://a"
        assert "ETag" in answer.headers["access-control-expose-headers"]


async def test_the_openapi_document_says_what_each_operation_takes_and_answers(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    fail = document["paths"]["/fail/{Kind}"]["get"]
    assert [(p["name"], p["in"], p["required"]) for p in fail["parameters"]] == [("Kind", "path", True)]
    assert set(fail["responses"]) == {"200", "429", "4XX", "5XX"}
    assert "Problem" in document["components"]["schemas"]

"""Which methods work at a path, which media types are answered with, and what a conditional read gets (RFC 9110)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.web import Routes, json_response
from shared.web.headers import accepted_offer
from tests.support.http import app_of, calling, pointers

TAG = '"3.0f"'


def routes() -> Routes:
    routes = Routes("test")

    async def show(request: Request) -> Response:
        response = json_response(dict(request.path_params), etag=TAG)
        response.headers["cache-control"] = "no-cache"
        return response

    async def listed(_: Request) -> Response:
        return json_response({"Items": []})

    def add(method: str, path: str) -> None:
        handler = listed if path == "/thing" else show
        routes.add(method, path, handler, action="test.read", summary="", conditional=False)

    add("GET", "/thing/{Id}/{Part}")
    add("PUT", "/thing/{Id}/{Part}")
    add("DELETE", "/thing/{Id}/{Part}")
    add("PUT", "/thing/{Id}/inventory")
    add("GET", "/thing/all/{Part}")
    add("GET", "/thing/{Id}")
    add("GET", "/thing")
    add("POST", "/thing")
    return routes


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app_of(routes())) as client:
        yield client


@pytest.mark.parametrize("path", ["/thing", "/thing/a", "/thing/a/b", "/health/live", "/metrics", "/openapi.json"])
async def test_head_answers_wherever_get_does_and_with_the_same_headers(http: httpx.AsyncClient, path: str) -> None:
    get, head = await http.get(path), await http.head(path)
    assert (head.status_code, get.status_code) == (200, 200)
    own = ("x-correlation-id", "content-length" if path == "/metrics" else "")  # the counts grow between the two
    assert [item for item in head.headers.items() if item[0] not in own] == [
        item for item in get.headers.items() if item[0] not in own
    ]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/thing", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/thing/a", "GET, HEAD, OPTIONS"),
        ("POST", "/thing/a/b", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("GET", "/thing/a/inventory", "OPTIONS, PUT"),  # not the part called inventory
        ("DELETE", "/thing/a/inventory", "OPTIONS, PUT"),
        ("HEAD", "/thing/a/inventory", "OPTIONS, PUT"),
        ("PUT", "/thing/all/b", "GET, HEAD, OPTIONS"),
        ("POST", "/health/live", "GET, HEAD, OPTIONS"),
        ("DELETE", "/metrics", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_has_not_is_405_with_those_that_work(
    http: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/problem+json"
    options = await http.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")
    for allowed in allow.split(", "):
        assert (await http.request(allowed, path)).status_code in (200, 204)


async def test_head_of_405_has_the_length_that_get_has(http: httpx.AsyncClient) -> None:
    get, head = [await http.request(method, "/thing/a/inventory") for method in ("GET", "HEAD")]
    assert (head.status_code, head.headers["content-length"]) == (405, get.headers["content-length"])


async def test_options_of_the_server_as_a_whole_names_every_method() -> None:
    answered: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        answered.append(message)

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "OPTIONS", "path": "*", "query_string": b"", "headers": headers}
    await app_of(routes())(scope, receive, send)
    assert answered[0]["status"] == 204
    assert (b"allow", b"DELETE, GET, HEAD, OPTIONS, POST, PUT") in answered[0]["headers"]


async def test_a_path_that_nobody_has_is_404_whatever_the_method(http: httpx.AsyncClient) -> None:
    for method in ("GET", "HEAD", "PUT", "OPTIONS"):
        assert (await http.request(method, "/nowhere")).status_code == 404


async def test_a_word_in_a_path_wins_whatever_the_order_of_the_routes(http: httpx.AsyncClient) -> None:
    assert (await http.put("/thing/a/inventory")).json() == {"Id": "a"}
    assert (await http.get("/thing/all/b")).json() == {"Part": "b"}
    assert (await http.get("/thing/a/b")).json() == {"Id": "a", "Part": "b"}


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("", 200),
        ("application/json", 200),
        ("application/*", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/problem+json", 406),  # an error is one whatever Accept says
        ("application/problem+json, application/json;q=0.1", 200),
        ("text/html, application/xhtml+xml, */*;q=0.8", 200),
        ("text/html;q=1, application/json;q=0.1", 200),
        ("text/html", 406),
        ("text/*, image/png", 406),
        ("application/json;q=0, application/problem+json;q=0.000", 406),
        ("*/*;q=0", 406),
        ("*/*, application/json;q=0", 406),
        ("*/*;q=0, application/json", 200),
        ("application/*, application/json;q=0, application/problem+json;q=0", 406),
    ],
)
async def test_accept_that_names_nothing_that_is_offered_is_406(
    http: httpx.AsyncClient, accept: str, status: int
) -> None:
    for method, path in (("GET", "/thing/a"), ("POST", "/thing"), ("HEAD", "/health/live")):
        answer = await http.request(method, path, headers={"Accept": accept})
        assert answer.status_code == status, (method, path)
    if status == 406:
        refused = await http.get("/thing/a", headers={"Accept": accept})
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:epic:problem:not-acceptable"


@pytest.mark.parametrize(
    ("accept", "offer"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv, application/json", "application/json"),
        ("text/csv, application/json;q=0.9", "text/csv"),
        ("text/csv;q=0.1, */*;q=0.2", "application/json"),
        ("text/html, */*;q=0.1, application/json;q=0.05", "text/csv"),
        ("text/csv;q=0.5;q=nonsense, application/json;q=0.4", "text/csv"),
        ("application/json;q=0, */*", "text/csv"),
    ],
)
def test_of_several_offers_the_one_that_accept_likes_best_is_taken(accept: str, offer: str) -> None:
    headers = [(b"accept", accept.encode())]
    assert accepted_offer(headers, ("application/json", "text/csv")) == offer


async def test_metrics_are_text(http: httpx.AsyncClient) -> None:
    for accept, status in (
        ("text/plain", 200),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", 200),
        ("application/json", 406),
    ):
        assert (await http.get("/metrics", headers={"Accept": accept})).status_code == status


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_read_whose_tag_is_known_is_304_with_its_headers_and_no_body(
    http: httpx.AsyncClient, method: str
) -> None:
    for known in (TAG, f'"2", W/{TAG}', "*"):
        answer = await http.request(method, "/thing/a", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (TAG, "no-cache")
        assert "content-type" not in answer.headers
        assert "content-length" not in answer.headers
        assert answer.headers["x-correlation-id"]
    assert (await http.request(method, "/thing/a", headers={"If-None-Match": '"3"'})).status_code == 200
    twice = httpx.Headers([("If-None-Match", '"1"'), ("If-None-Match", TAG)])
    assert (await http.request(method, "/thing/a", headers=twice)).status_code == 304


async def test_if_match_on_a_read_is_412_where_the_tag_is_another(http: httpx.AsyncClient) -> None:
    for given, status in (('"3"', 200), (TAG, 200), ("*", 200), ('"2"', 412), (f"W/{TAG}", 412), ("3", 400)):
        assert (await http.get("/thing/a", headers={"If-Match": given})).status_code == status, given
    assert (await http.get("/thing", headers={"If-Match": '"3"'})).status_code == 412, "a list has no tag"
    assert (await http.get("/thing", headers={"If-None-Match": '"3"'})).status_code == 200


async def test_a_condition_on_a_write_that_reads_none_is_400() -> None:
    async def done(_: Request) -> Response:
        return json_response({})

    plain = Routes("test")
    plain.add("POST", "/plain", done, action="test.write", summary="", conditional=False, has_cause=False)
    async with calling(app_of(plain)) as client:
        assert (await client.post("/plain")).status_code == 200
        for name in ("If-Match", "If-None-Match"):
            answer = await client.post("/plain", headers={name: "*"})
            assert (answer.status_code, pointers(answer)) == (400, [f"/{name}"])

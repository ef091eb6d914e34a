"""A route that reads its body itself: piece by piece, with a limit of its own, and only of its media types."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.schemas.base import BODY_LIMIT
from shared.web import Routes, json_response, streamed_body
from tests.support.http import app_of, calling, pointers

LIMIT = 3 * BODY_LIMIT
CSV = {"content-type": "text/csv; charset=utf-8"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    routes = Routes("test")

    async def take(request: Request) -> Response:
        sizes = [len(piece) async for piece in streamed_body(request)]
        return json_response({"Bytes": sum(sizes), "Largest": max(sizes, default=0)})

    async def show(request: Request) -> Response:
        return json_response({})

    types = ("text/csv", "application/x-ndjson")
    routes.add("POST", "/large/{Id}", take, action="test.write", summary="", body_types=types, streams=LIMIT)
    routes.add("PUT", "/large/{Id}", show, action="test.write", summary="", conditional=False)
    async with calling(app_of(routes)) as client:
        yield client


async def pieces(size: int, of: int = 65_536) -> AsyncIterator[bytes]:
    for _ in range(size // of):
        yield b"x" * of


async def test_a_body_over_the_ordinary_limit_is_read_in_pieces(http: httpx.AsyncClient) -> None:
    answer = await http.post("/large/a", content=pieces(LIMIT), headers=CSV)
    assert answer.json() == {"Bytes": LIMIT, "Largest": 65_536}


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_routes_own_limit_is_413(http: httpx.AsyncClient, announced: bool) -> None:
    """4.11e."""
    answer = await http.post("/large/a", content=b"x" * (LIMIT + 1) if announced else pieces(2 * LIMIT), headers=CSV)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:epic:problem:too-large")


async def test_another_method_of_its_path_has_the_ordinary_limit(http: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await http.put("/large/a", content=b'"' + b"x" * BODY_LIMIT + b'"', headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/json"}])
async def test_its_body_has_one_of_its_media_types(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """10.6.13: also where the header is missing, because nobody has looked whether there is a body."""
    answer = await http.post("/large/a", content=b"a", headers=headers)
    assert (answer.status_code, pointers(answer)) == (400, ["/Content-Type"])


async def test_openapi_names_its_media_types(http: httpx.AsyncClient) -> None:
    operation = (await http.get("/openapi.json")).json()["paths"]["/large/{Id}"]["post"]
    assert list(operation["requestBody"]["content"]) == ["application/x-ndjson", "text/csv"]

"""The gateway of ``epic up`` and the one of the compose file answer alike what they answer by themselves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path

import httpx
import pytest
from testcontainers.core.container import DockerContainer

from epic.gateway import Gateway
from epic.serving import uvicorn_server
from shared.settings import Settings
from tests.support import servers
from tests.support.docker_engine import IMAGES
from tests.support.waiting import until

pytestmark = pytest.mark.slow

NGINX = Path(__file__).parents[2] / "deploy" / "nginx" / "epic.conf"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def nginx() -> Iterator[int]:
    """The port of the compose file's gateway, behind which there is no service."""
    port = servers.free_port()
    container = DockerContainer(IMAGES["NGINX_IMAGE"]).with_bind_ports(80, port)
    container.with_volume_mapping(str(NGINX), "/etc/nginx/conf.d/default.conf", "ro")
    with container:
        yield port


@pytest.fixture(params=["epic up", pytest.param("nginx", marks=pytest.mark.docker)])
async def http(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    if request.param == "nginx":
        port = request.getfixturevalue("nginx")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await until(lambda: _answers(client), "nginx answers", seconds=60)
            yield client
        return
    taken = socket.create_server(("127.0.0.1", 0))
    server = uvicorn_server(Gateway({}), Settings(data_dir=tmp_path))
    serving = asyncio.create_task(server.serve([taken]))
    await until(lambda: server.started, "the gateway listens")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}") as client:
        yield client
    server.should_exit = True
    await serving
    taken.close()


async def _answers(client: httpx.AsyncClient) -> bool:
    """Docker takes connections to the port before nginx does, and closes them."""
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False


async def test_health_live_says_that_it_is_alive(http: httpx.AsyncClient) -> None:
    answer = await http.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"Status": "Alive"})
    assert answer.headers["content-type"] == "application/json"
    head = await http.head("/health/live")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


async def test_its_own_page_has_no_other_methods(http: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await http.request(method, "/health/live")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS"), method
        assert answer.headers["content-type"] == PROBLEM
        problem = answer.json()
        assert (problem["type"], problem["status"]) == ("urn:epic:problem:bad-method", 405)
        assert (problem["title"], problem["instance"]) == ("Method not allowed", "/health/live")


async def test_options_names_the_methods_of_its_own_page(http: httpx.AsyncClient) -> None:
    answer = await http.options("/health/live")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, "GET, HEAD, OPTIONS", b"")


async def test_a_path_that_nobody_has_is_404(http: httpx.AsyncClient) -> None:
    paths = ("/nowhere", "/health/live/", "/metrics", "/health", "/.gateway/bad-request")
    for method, path in product(("GET", "HEAD", "POST", "OPTIONS"), paths):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM), (method, path)
        if method != "HEAD":
            problem = answer.json()
            assert (problem["type"], problem["title"]) == ("urn:epic:problem:no-such-path", "Not found")
            assert (problem["status"], problem["instance"]) == (404, path)


async def test_what_is_no_request_is_a_problem(http: httpx.AsyncClient) -> None:
    for sent, status in (
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n: no name\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"GET /health/live HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 200_000 + b"\r\n\r\n", 431),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
        assert PROBLEM.encode() in answer

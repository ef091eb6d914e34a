"""What a page of another site could have a browser send is refused: the rules 10.6.12 to 10.6.15."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from shared.web import Routes, json_response
from tests.support.http import app_of, calling, pointers

OWN, OTHER, PERMITTED = "http://localhost", "https://evil.example", "https://capacity.example.com"
JSON = "application/json"


def routes() -> Routes:
    routes = Routes("test")

    async def done(_: Request) -> Response:
        return json_response({})

    for method in ("GET", "POST", "PUT", "DELETE"):
        routes.add(method, "/thing", done, action="test.write", summary="Anything")
    routes.add("POST", "/bulk", done, action="test.write", summary="Rows", body_types={"text/csv"})
    return routes


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app_of(routes(), cors_origins=[PERMITTED])) as client:
        yield client


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"Origin": OWN}, 200),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),  # a person typed the address
        ({"Origin": PERMITTED, "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Origin": OTHER}, 403),
        ({"Origin": OTHER, "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "null"}, 403),  # a sandboxed frame
        ({"Origin": "http://localhost:3000"}, 403),  # another server of this machine
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": f"{PERMITTED}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_a_write_of_another_site_is_403_10_6_12(
    http: httpx.AsyncClient, method: str, headers: Mapping[str, str], status: int
) -> None:
    answer = await http.request(method, "/thing", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"] == "urn:epic:problem:cross-site"
        assert "EPIC_CORS_ORIGINS" in answer.json()["detail"]


async def test_a_page_of_another_site_may_follow_a_link_here_10_6_12(http: httpx.AsyncClient) -> None:
    assert (await http.get("/thing", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_an_origin_is_compared_with_the_host_and_its_port_10_6_12(http: httpx.AsyncClient) -> None:
    for origin, status in (("http://127.0.0.1:8000", 200), ("http://127.0.0.1", 403), ("http://127.0.0.1:8001", 403)):
        answer = await http.post("/thing", headers={"Host": "127.0.0.1:8000", "Origin": origin})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/thing", JSON, 200),
        ("/thing", "application/json; charset=utf-8", 200),
        ("/thing", "Application/JSON ;charset=UTF-8", 200),
        ("/thing", "application/merge-patch+json", 200),
        ("/thing", "text/plain", 400),  # these three a page of any site may send, unasked
        ("/thing", "application/x-www-form-urlencoded", 400),
        ("/thing", "multipart/form-data; boundary=x", 400),
        ("/thing", "text/plain; application/json", 400),
        ("/thing", "text/csv", 400),
        ("/thing", None, 400),
        ("/bulk", "text/csv", 200),
        ("/bulk", JSON, 400),
    ],
)
async def test_a_body_has_a_media_type_that_its_route_takes_10_6_13(
    http: httpx.AsyncClient, path: str, media_type: str | None, status: int
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await http.post(path, content=b"{}", headers=headers)
    assert answer.status_code == status
    if status == 400:
        assert (answer.json()["type"], pointers(answer)) == ("urn:epic:problem:bad-content-type", ["/Content-Type"])


async def test_a_write_without_a_body_needs_no_media_type_and_takes_no_other_10_6_13(http: httpx.AsyncClient) -> None:
    assert (await http.post("/thing")).status_code == 200
    octets = "application/octet-stream"  # what some clients send unasked
    for media_type, status in ((JSON, 200), (octets, 200), ("text/plain", 400), ("multipart/form-data", 400)):
        assert (await http.post("/thing", headers={"Content-Type": media_type})).status_code == status
    assert (await http.post("/thing", content=b"{}", headers={"Content-Type": octets})).status_code == 400
    assert (await http.get("/thing", headers={"Content-Type": "text/plain"})).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("evil.example", 400),  # a name that its owner makes lead to this machine
        ("evil.example:8000", 400),
        ("localhost.evil.example", 400),
        ("localhost:80:80", 400),
        ("localhost:evil.example", 400),
        ("user@localhost", 400),
        ("127.0.0.2", 400),
        ("::1", 400),
        ("", 400),
    ],
)
async def test_a_host_that_is_not_allowed_is_400_10_6_15(http: httpx.AsyncClient, host: str, status: int) -> None:
    for method in ("GET", "POST"):
        assert (await http.request(method, "/thing", headers={"Host": host})).status_code == status
    answer = await http.get("/nowhere", headers={"Host": host})
    assert answer.status_code == (404 if status == 200 else 400)
    if status == 400:
        assert (answer.json()["type"], pointers(answer)) == ("urn:epic:problem:bad-host", ["/Host"])


async def test_a_probe_asks_for_health_by_any_address_10_6_15(http: httpx.AsyncClient) -> None:
    probe = {"Host": "10.1.2.3:8000"}
    assert (await http.get("/health/live", headers=probe)).status_code == 200
    assert (await http.get("/health/ready", headers=probe)).status_code == 200
    assert (await http.get("/metrics", headers=probe)).status_code == 400
    for no_host in ("localhost:80:80", "[::1"):
        assert (await http.get("/health/live", headers={"Host": no_host})).status_code == 400, "RFC 9112, 3.2"


async def test_the_allowed_hosts_take_the_place_of_the_loopback_names_10_6_15() -> None:
    async with calling(app_of(routes(), allowed_hosts=["Hotw_Svc", "fd00::7"])) as client:
        for host, status in (("hotw_svc:8000", 200), ("[fd00::7]:8000", 200), ("localhost", 400)):
            assert (await client.get("/thing", headers={"Host": host})).status_code == status


async def test_what_is_refused_is_counted_and_has_a_correlation_id(http: httpx.AsyncClient) -> None:
    answer = await http.post("/thing", headers={"Origin": OTHER})
    assert answer.headers["x-correlation-id"]
    assert 'method="POST",route="none",status="403"} 1.0' in (await http.get("/metrics")).text

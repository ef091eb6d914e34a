from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from epic.gateway import Gateway
from epic.routes import ANY, Route, routes_of
from epic.runner import builds
from epic.serving import open_transport
from shared.schemas.topics import SERVICES
from shared.settings import Settings
from shared.web import Routes
from tests.support.clock import FixedClock

PATHS = {
    "fleet_svc": ["/service", "/service/{ServiceId}", "/fleet", "/fleet/event/{EventId}", "/fleet/{FleetId}/{EventId}"],
    "event_svc": ["/event", "/event/{EventId}", "/event/{EventId}/versions", "/event/latest/{EventId}"],
    "eventplan_svc": [
        "/eventplan/{EventId}/{FleetId}",
        "/event/{EventId}/dashboard",
        "/event/{EventId}/dashboard/descaling",
    ],
}


def app_of(name: str, paths: list[str], ready: bool = True) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"by": name, "path": request.url.path, "query": request.url.query})

    async def readiness() -> JSONResponse:
        return JSONResponse({"Status": "Ready" if ready else "Unready"}, 200 if ready else 503)

    for path in [*paths, "/metrics", "/dlq", "/dlq/{Id}"]:
        app.add_api_route(path, echo, methods=["GET", "PUT"])
    app.add_api_route("/health/ready", readiness)
    return app


def client(apps: dict[str, FastAPI]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Gateway(apps)), base_url="http://localhost")


@pytest.fixture
def apps() -> dict[str, FastAPI]:
    return {name: app_of(name, paths) for name, paths in PATHS.items()}


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/service", "fleet_svc"),
        ("/fleet/event/PD2024", "fleet_svc"),
        ("/fleet/F/PD2024?Limit=1", "fleet_svc"),
        ("/event", "event_svc"),
        ("/event/PD2024", "event_svc"),
        ("/event/PD2024/versions", "event_svc"),
        ("/event/PD2024/dashboard", "eventplan_svc"),
        ("/event/PD2024/dashboard/descaling", "eventplan_svc"),
        ("/eventplan/PD2024/F", "eventplan_svc"),
    ],
)
async def test_each_path_goes_to_its_owner_as_it_stands(apps: dict[str, FastAPI], path: str, service: str) -> None:
    async with client(apps) as http:
        answer = (await http.get(path)).json()
    assert (answer["by"], answer["path"]) == (service, path.partition("?")[0])
    assert answer["query"] == path.partition("?")[2]


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/event/PD2024/nothing", "event_svc"),
        ("/event/PD2024/dashboard/nothing", "eventplan_svc"),
        ("/event/PD2024/versions/3", "event_svc"),
        ("/fleet", "fleet_svc"),
        ("/nothing", None),
        ("/", None),
        ("/eventplans", None),
        ("//event", None),
    ],
)
def test_a_path_that_no_route_matches_belongs_to_whose_route_it_lies_below(
    apps: dict[str, FastAPI], path: str, service: str | None
) -> None:
    assert Gateway(apps).service_of(path) == service


async def test_each_services_own_pages_stand_behind_its_name(apps: dict[str, FastAPI]) -> None:
    async with client(apps) as http:
        for name in apps:
            for path in ("/metrics", "/dlq", "/dlq/group:topic:0:17"):
                answer = (await http.get(f"/{name}{path}")).json()
                assert (answer["by"], answer["path"]) == (name, path)


async def test_an_unknown_path_is_a_problem_with_the_remedy(apps: dict[str, FastAPI]) -> None:
    async with client(apps) as http:
        for path in ("/nothing", "/dlq", "/metrics"):
            answer = await http.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"] == f"there is no {path}; GET / lists what there is"
        assert set((await http.get("/")).json()["Services"]) == set(apps)


async def test_ready_is_the_sum_of_all(apps: dict[str, FastAPI]) -> None:
    async with client(apps) as http:
        assert (await http.get("/health/live")).json() == {"Status": "Alive"}
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.json()["Status"]) == (200, "Ready")
    apps["event_svc"] = app_of("event_svc", PATHS["event_svc"], ready=False)
    async with client(apps) as http:
        answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["Status"]) == (503, "Unready")
    assert answer.json()["Services"] == {
        "fleet_svc": {"Status": "Ready"},
        "event_svc": {"Status": "Unready"},
        "eventplan_svc": {"Status": "Ready"},
    }


async def test_the_gateways_own_pages_are_refused_by_another_name_10_6_15(apps: dict[str, FastAPI]) -> None:
    async with client(apps) as http:
        for path, status in (("/", 400), ("/nothing", 400), ("/health/ready", 200)):
            answer = await http.get(path, headers={"Host": "evil.example"})
            assert answer.status_code == status
        assert (await http.get("/", headers={"Host": "127.0.0.1:8000"})).status_code == 200


async def test_what_the_gateway_adds_is_no_other_sites_to_write_to_10_6_12(apps: dict[str, FastAPI]) -> None:
    async def produce(_: Request) -> Response:
        return JSONResponse({})

    extra = Routes("embedded")
    extra.add("POST", "/embedded/produce", produce, action="message.produce", summary="")
    transport = httpx.ASGITransport(Gateway(apps, [extra]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as http:
        for origin, status in (("http://localhost:8000", 200), ("http://localhost:3000", 403)):
            answer = await http.post("/embedded/produce", json={}, headers={"Origin": origin})
            assert answer.status_code == status


def test_two_services_with_the_same_path_are_refused(apps: dict[str, FastAPI]) -> None:
    apps["hotw_svc"] = app_of("hotw_svc", ["/event/{Other}"])
    with pytest.raises(ValueError, match="is served by event_svc and by hotw_svc"):
        routes_of(apps)


# -- nginx says the same -----------------------------------------------------------------------------------------------

NGINX = Path(__file__).parents[2] / "deploy" / "nginx" / "epic.conf"
_LOCATION = re.compile(r"location\s+~\s+(\S+)\s*\{(.*?)\}", re.DOTALL)
_UPSTREAM = re.compile(r"http://(\w+_svc):")


def nginx_chooses(config: str) -> Callable[[str], str | None]:
    """Whom nginx sends a path to: of the regular expressions the first that matches, as nginx does."""
    found = [
        (re.compile(pattern.replace("(?<", "(?P<")), upstream[1])
        for pattern, body in _LOCATION.findall(config)
        if (upstream := _UPSTREAM.search(body))
    ]
    return lambda path: next((service for pattern, service in found if pattern.search(path)), None)


def sample_of(route: Route) -> str:
    return "/" + "/".join("PD2024" if part == ANY else part for part in route.segments)


def differences(routes: list[Route], config: str) -> list[tuple[str, str, str | None]]:
    chooses = nginx_chooses(config)
    return [
        (sample_of(route), route.service, chooses(sample_of(route)))
        for route in routes
        if chooses(sample_of(route)) != route.service
    ]


def test_nginx_passes_on_the_host_with_its_port_which_origin_is_compared_with() -> None:
    assert "proxy_set_header Host $http_host;" in NGINX.read_text()


def test_nginx_sends_each_path_where_the_gateway_does(apps: dict[str, FastAPI]) -> None:
    assert differences(routes_of(apps), NGINX.read_text()) == []


def test_the_comparison_with_nginx_sees_a_wrong_line(apps: dict[str, FastAPI]) -> None:
    wrong = NGINX.read_text().replace("^/event/[^/]+/dashboard", "^/event/[^/]+/other")
    assert {found[0] for found in differences(routes_of(apps), wrong)} == {
        "/event/PD2024/dashboard",
        "/event/PD2024/dashboard/descaling",
    }


async def test_nginx_and_the_gateway_agree_on_every_route_of_the_five_services(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    transport, clock = open_transport(settings), FixedClock("2024-06-15T09:00:00Z")
    services = [await build(settings, transport, clock) for build in builds().values()]
    routes = routes_of({service.name: service.app for service in services})
    assert {route.service for route in routes} == set(SERVICES)
    assert differences(routes, NGINX.read_text()) == []

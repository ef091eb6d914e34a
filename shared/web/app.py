"""Makes the FastAPI application of a service: its routes, the kit's own pages, and the middlewares around them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import structlog
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from shared.cause import KeepRefusal
from shared.errors import EpicError
from shared.metrics import Metrics
from shared.schemas.base import BODY_LIMIT
from shared.schemas.operation import InterfaceDocument, Liveness, Readiness
from shared.settings import LOOPBACK_NAMES
from shared.web.middleware import Gate, RequestMiddleware
from shared.web.openapi import openapi
from shared.web.protection import Protection
from shared.web.responses import handle_errors, json_response
from shared.web.routes import Routes
from shared.web.routing import Handler

log = structlog.get_logger(__name__)

_CHECK_TIMEOUT: Final = 3.0  # seconds; orchestrators give a probe five

ALIVE: Final = {"Status": "Alive"}
"""What /health/live answers, of a service and of the gateway."""


class Unready(EpicError):
    """A check failed; the message says what is wrong and, where it is known, the remedy."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a service needs. ``run`` returns details to show, or None; it raises when the check fails."""

    name: str
    run: Callable[[], Awaitable[Mapping[str, Any] | None]]


def create_app(
    service: str,
    *,
    routes: Sequence[Routes],
    metrics: Metrics,
    checks: Sequence[Check] = (),
    asyncapi: Callable[[], dict[str, Any]] | None = None,
    keep_refusal: KeepRefusal | None = None,
    gate: Gate | None = None,
    allowed_hosts: Sequence[str] = LOOPBACK_NAMES,
    cors_origins: Sequence[str] = (),
    description: str = "",
) -> FastAPI:
    """A service's application: ``routes``, then health, metrics, ``/openapi.json`` and ``/asyncapi.json``.

    ``keep_refusal`` keeps the refusal of a write with an Idempotency-Key. While ``gate`` is closed, only the kit's
    pages answer. ``allowed_hosts`` and ``cors_origins`` are those of ``Protection``. Nothing is started here.
    """
    pages = Routes("operation", "Health, metrics, and the documents of the service's interfaces.")
    documented = [*routes, pages]
    _add_kit_pages(pages, metrics, checks)
    this_api = page(cache(lambda: openapi(service, description, {part.tag: part.operations for part in documented})))
    document = partial(pages.add, "GET", action="contracts.read", response=InterfaceDocument)
    document("/openapi.json", this_api, operation_id="getOpenApi", summary="This API")
    if asyncapi is not None:
        summary = "The messages this service takes and sends"
        document("/asyncapi.json", page(asyncapi), operation_id="getAsyncApi", summary=summary)
    protection = Protection(allowed_hosts=allowed_hosts, permitted_origins=cors_origins)
    # Behind a gateway the document is at another path, so the text names none.
    around: dict[str, Any] = {"protection": protection, "keep_refusal": keep_refusal, "gate": gate}
    app = routed_app(service, documented, metrics, index=f"the openapi.json of {service}", **around)
    if cors_origins:  # the middleware that is added last is the outermost
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Retry-After", "X-Correlation-Id"],
        )
    return app


def routed_app(
    name: str,
    routes: Sequence[Routes],
    metrics: Metrics,
    *,
    protection: Protection,
    keep_refusal: KeepRefusal | None = None,
    gate: Gate | None = None,
    index: str,
    body_limit: int = BODY_LIMIT,
) -> FastAPI:
    """An application of these routes alone, with what is done around every route and every error.

    Of two routes of one path, a word in it decides against a parameter; otherwise the first one gets the request.
    ``index`` is what lists the paths, for the problem of an unknown one.
    """
    # FastAPI's own pages are off: the kit makes them itself. Its router redirects no slash: /event/ is 404.
    pages_off = dict[str, Any](openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app = FastAPI(title=name, **pages_off)
    handle_errors(app, keep_refusal, index=index)
    every = [route for part in routes for route in part.routes]
    for route in every:
        route.hide_behind(every)
    app.router.routes.extend(every)  # a router that is included doubles the cost of a read
    streaming = [route for route in every if route.streams]
    surroundings: dict[str, Any] = {"metrics": metrics, "gate": gate or Gate(), "protection": protection}
    app.add_middleware(RequestMiddleware, service=name, body_limit=body_limit, streaming=streaming, **surroundings)
    return app


def _add_kit_pages(pages: Routes, metrics: Metrics, checks: Sequence[Check]) -> None:
    failed_before: set[str] = set()

    async def ready(_: Request) -> Response:
        # All checks at once. The log has when another one fails, and when all succeed again.
        results = await asyncio.gather(*map(_result, checks))
        shown = {check.name: result for check, result in zip(checks, results, strict=True)}
        failed = {name: result["Detail"] for name, result in shown.items() if result["Status"] == "Failed"}
        if failed.keys() - failed_before:
            log.warning("not ready", **failed)
        elif failed_before and not failed:
            log.info("ready again")
        failed_before.clear()
        failed_before.update(failed)
        report = {"Status": "Unready" if failed else "Ready", "Checks": shown}
        return json_response(report, status=503 if failed else 200)

    async def figures(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    health, live = partial(pages.add, "GET", action="health.read"), page(lambda: ALIVE)
    health("/health/live", live, operation_id="getLiveness", summary="Is the process alive", response=Liveness)
    summary, also = "Can the service do its work: store, broker, outbox, consumers", {503: Readiness}
    health("/health/ready", ready, operation_id="getReadiness", summary=summary, response=Readiness, also=also)
    summary = "Prometheus metrics"
    pages.add("GET", "/metrics", figures, action="metrics.read", summary=summary, media_type="text/plain")


async def _result(check: Check) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            details = await check.run()
    except TimeoutError:
        return {"Status": "Failed", "Detail": f"no answer within {_CHECK_TIMEOUT:g} s"}
    except Exception as error:
        return {"Status": "Failed", "Detail": str(error) or type(error).__name__}
    return {"Status": "Ok", **(details or {})}


def page(content: Callable[[], Mapping[str, Any]]) -> Handler:
    """The handler of a page that shows what ``content`` gives."""

    async def show(_: Request) -> Response:
        return json_response(content())

    return show

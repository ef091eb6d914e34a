"""Makes the FastAPI application of a service: its routes, the kit's own pages, and the middlewares around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from shared.metrics import METRICS_CONTENT_TYPE, Metrics
from shared.web.health import Check, Readiness
from shared.web.middleware import BODY_LIMIT, Gate, RequestMiddleware
from shared.web.responses import KeepRefusal, handle_errors, json_response
from shared.web.routes import Handler, Routes, openapi


def create_app(
    service: str,
    *,
    routes: Sequence[Routes],
    metrics: Metrics,
    checks: Sequence[Check] = (),
    asyncapi: Callable[[], dict[str, Any]] | None = None,
    keep_refusal: KeepRefusal | None = None,
    gate: Gate | None = None,
    cors_origins: Sequence[str] = (),
    body_limit: int = BODY_LIMIT,
    description: str = "",
) -> FastAPI:
    """A service's application: ``routes``, then health, metrics, ``/openapi.json`` and ``/asyncapi.json``.

    The first route whose path matches gets the request. ``keep_refusal`` keeps the refusal of a write with an
    Idempotency-Key. While ``gate`` is closed, only the kit's pages answer. Nothing is started or stopped here.
    """
    # FastAPI's own pages are off: the kit makes them itself. Its router redirects no slash: /event/ is 404.
    pages_off = dict[str, Any](openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app = FastAPI(title=service, description=description, version="1", **pages_off)
    handle_errors(app, keep_refusal)
    pages = Routes("kit")
    documented = [*routes, pages]
    _add_kit_pages(pages, metrics, checks)
    this_api = _page(cache(lambda: openapi(app, documented)))
    pages.add("GET", "/openapi.json", this_api, action="contracts.read", summary="This API")
    if asyncapi is not None:
        summary = "The messages this service takes and sends"
        pages.add("GET", "/asyncapi.json", _page(asyncapi), action="contracts.read", summary=summary)
    for part in documented:
        app.router.routes.extend(part.routes)  # a router that is included doubles the cost of a read
    app.add_middleware(RequestMiddleware, service=service, metrics=metrics, gate=gate or Gate(), body_limit=body_limit)
    if cors_origins:  # the middleware that is added last is the outermost
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Retry-After", "X-Correlation-Id"],
        )
    return app


def _add_kit_pages(pages: Routes, metrics: Metrics, checks: Sequence[Check]) -> None:
    readiness = Readiness(checks)

    async def ready(_: Request) -> Response:
        is_ready, report = await readiness.report()
        return json_response(report, status=200 if is_ready else 503)

    async def figures(_: Request) -> Response:
        return Response(metrics.render(), media_type=METRICS_CONTENT_TYPE)

    live = _page(lambda: {"Status": "Alive"})
    pages.add("GET", "/health/live", live, action="health.read", summary="Is the process alive")
    summary = "Can the service do its work: store, broker, outbox, consumers"
    pages.add("GET", "/health/ready", ready, action="health.read", summary=summary)
    pages.add("GET", "/metrics", figures, action="metrics.read", summary="Prometheus metrics")


def _page(content: Callable[[], Mapping[str, Any]]) -> Handler:
    async def show(_: Request) -> Response:
        return json_response(content())

    return show

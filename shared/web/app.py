"""Owns the FastAPI application of a service: its routes between pure ASGI middlewares, and the pages of the kit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from shared.metrics import METRICS_CONTENT_TYPE, Metrics
from shared.web.access import Access
from shared.web.answers import json_answer
from shared.web.correlation import Correlation
from shared.web.gate import Gate, Gated
from shared.web.health import Check, Readiness
from shared.web.limits import BODY_LIMIT, BodyLimit
from shared.web.openapi import Routes, describe
from shared.web.problems import KeepRefusal, Unexpected, answer_errors

__all__ = ["create_app"]


def create_app(
    service: str,
    *,
    routes: Sequence[Routes | APIRouter],
    metrics: Metrics,
    checks: Sequence[Check] = (),
    asyncapi: Callable[[], dict[str, Any]] | None = None,
    keep_refusal: KeepRefusal | None = None,
    gate: Gate | None = None,
    cors_origins: Sequence[str] = (),
    body_limit: int = BODY_LIMIT,
    description: str = "",
) -> FastAPI:
    """A service's application: ``routes``, then health, metrics and the two documents of its contracts.

    Order matters among routes: the first path that matches has the request. ``keep_refusal`` keeps what a write with
    an Idempotency-Key was refused with. While ``gate`` is closed, only the kit's pages answer.
    Nothing is started or stopped here.
    """
    app = FastAPI(
        title=service, description=description, version="1", openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    answer_errors(app, keep_refusal)
    declared = [part for part in routes if isinstance(part, Routes)]
    kit = _kit_routes(app, declared, metrics, checks, asyncapi)
    for part in (*routes, kit):
        # Included routers are matched through a wrapper that doubles the cost of a read; the routes themselves do.
        app.router.routes.extend(part.router.routes if isinstance(part, Routes) else part.routes)
    if gate is not None:
        app.add_middleware(Gated, gate=gate)  # the last added is the outermost
    app.add_middleware(Unexpected)
    app.add_middleware(BodyLimit, limit=body_limit)
    app.add_middleware(Access, metrics=metrics)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(cors_origins), allow_methods=["*"], allow_headers=["*"],
            expose_headers=["ETag", "Retry-After", "X-Correlation-Id"],
        )  # fmt: skip
    app.add_middleware(Correlation, service=service)
    return app


def _kit_routes(
    app: FastAPI,
    declared: Sequence[Routes],
    metrics: Metrics,
    checks: Sequence[Check],
    asyncapi: Callable[[], dict[str, Any]] | None,
) -> Routes:
    kit, readiness = Routes("kit"), Readiness(checks)

    async def live(_: Request) -> Response:
        return json_answer({"Status": "Alive"})

    async def ready(_: Request) -> Response:
        well, shown = await readiness.ask()
        return json_answer(shown, status=200 if well else 503)

    async def figures(_: Request) -> Response:
        return Response(metrics.render(), media_type=METRICS_CONTENT_TYPE)

    async def openapi(_: Request) -> Response:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app, [*declared, kit])
        return json_answer(app.openapi_schema)

    kit.add("GET", "/health/live", live, summary="Is the process alive")
    kit.add("GET", "/health/ready", ready, summary="Can the service do its work: store, broker, outbox, consumers")
    kit.add("GET", "/metrics", figures, summary="Prometheus metrics")
    kit.add("GET", "/openapi.json", openapi, summary="This API")
    if asyncapi is not None:

        async def messages(_: Request) -> Response:
            return json_answer(asyncapi())

        kit.add("GET", "/asyncapi.json", messages, summary="The messages this service takes and sends")
    return kit

"""Owns the routes of a service and their OpenAPI: what each takes and answers, said where the route is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, request_response
from starlette.types import Scope

__all__ = ["Handler", "Parameter", "Routes", "describe"]

Handler = Callable[[Request], Awaitable[Response]]

_REF: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. Each bad field is named by a JSON pointer, with the remedy.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


class _DirectRoute(APIRoute):
    """A route whose handler takes the request and gives the answer as bytes: nothing stands between.

    FastAPI's own handling (dependencies, exit stacks, response models) costs as much again as the whole rest.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = request_response(endpoint)
        self._only = frozenset(self.methods or ())
        self._begins = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Never partly: that the path is another method's is asked when no route has it, not of each before it."""
        if scope.get("method") not in self._only or self._begins not in scope["path"]:
            return Match.NONE, {}
        match, child_scope = Route.matches(self, scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


class Parameter(dict[str, Any]):
    """One query parameter or header as OpenAPI says it."""

    def __init__(self, name: str, description: str, *, where: str = "query", kind: str = "string") -> None:
        super().__init__(
            {"name": name, "in": where, "description": description, "required": False, "schema": {"type": kind}}
        )


IF_MATCH: Final = Parameter("If-Match", "The ETag as it was read; 412 when it is no longer the latest.", where="header")
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key", "The same key and body again get the first answer again.", where="header"
)


class Routes:
    """A list of routes being made: ``router`` has them, ``models`` the contracts their OpenAPI refers to."""

    def __init__(self, tag: str | None = None) -> None:
        self.router = APIRouter(route_class=_DirectRoute, tags=[tag] if tag else None)
        self.models: dict[str, type[BaseModel]] = {}

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        summary: str,
        body: type[BaseModel] | None = None,
        answer: type[BaseModel] | None = None,
        many: bool = False,
        parameters: Sequence[Mapping[str, Any]] = (),
        conditional: bool = True,
    ) -> None:
        """One operation. ``many``: the answer is a page, ``{Items: [answer], NextCursor}``.

        Not ``conditional``: a PUT or DELETE of what has no version, which takes no If-Match.
        """
        described: dict[str, Any] = {"parameters": [*_path_parameters(path), *parameters]}
        if method in ("POST", "PUT", "DELETE"):
            described["parameters"] += [IDEMPOTENCY_KEY] + ([IF_MATCH] if method != "POST" and conditional else [])
        if body is not None:
            described["requestBody"] = {"required": True, "content": {"application/json": {"schema": self._ref(body)}}}
        schema: dict[str, Any] = self._ref(answer) if answer else {"type": "object"}
        if many:
            schema = {
                "type": "object",
                "required": ["Items", "NextCursor"],
                "properties": {
                    "Items": {"type": "array", "items": schema},
                    "NextCursor": {"type": ["string", "null"], "description": "Give it as Cursor to go on."},
                },
            }
        problem = {"content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}}
        described["responses"] = {
            "200": {"description": "Done", "content": {"application/json": {"schema": schema}}},
            "4XX": {"description": "Refused: the problem says what and why", **problem},
            "5XX": {"description": "Not now: the store is away, or an error of EPIC's own", **problem},
        }
        self.router.add_api_route(
            path,
            handler,
            methods=[method],
            summary=summary,
            operation_id=f"{method.lower()}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}",
            response_class=Response,
            response_model=None,
            openapi_extra=described,
        )

    def _ref(self, model: type[BaseModel]) -> dict[str, Any]:
        self.models[model.__name__] = model
        return {"$ref": _REF.format(model=model.__name__)}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in path.split("/")
        if part.startswith("{")
    ]


def describe(app: FastAPI, routes: Sequence[Routes]) -> dict[str, Any]:
    """The OpenAPI document of ``app``, with the contracts of ``routes`` as its schemas."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    models = {name: model for part in routes for name, model in part.models.items()}
    _, schemas = models_json_schema([(model, "validation") for model in models.values()], ref_template=_REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components |= schemas.get("$defs", {}) | {"Problem": _PROBLEM}
    return document

"""The routes of a service: one call of ``Routes.add`` each, which names the action and describes it for OpenAPI.

Handlers take the Starlette request and return the response's bytes. FastAPI's own handling of a call (dependencies,
parameter and response models) would cost 55 µs on top of the 27 µs of a whole read (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, request_response
from starlette.types import Scope

from shared.errors import FieldError
from shared.security import authorize, caller_of_http, check_action

Handler = Callable[[Request], Awaitable[Response]]

CALLER: Final = "epic.caller"
"""The key in a request's scope under which its ``Principal`` is."""

_REF: Final = "#/components/schemas/{model}"


class Problem(BaseModel):
    """RFC 9457. Each bad field is named by a JSON pointer, with the remedy."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


class Parameter(dict[str, Any]):
    """One optional query parameter or header, as OpenAPI describes it."""

    def __init__(self, name: str, description: str, *, where: str = "query", kind: str = "string") -> None:
        super().__init__(
            {"name": name, "in": where, "description": description, "required": False, "schema": {"type": kind}}
        )


PAGING: Final = (
    Parameter("Limit", "At most so many items, 1 to 1000; 100 unless given.", kind="integer"),
    Parameter("Cursor", "NextCursor of the page before."),
)
_IF_MATCH: Final = Parameter(
    "If-Match", "The ETag as it was read; 412 when it is no longer the latest.", where="header"
)
_IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key", "The same key and body again get the first answer again.", where="header"
)


class EpicRoute(APIRoute):
    """A route that asks for permission and calls its handler, with nothing of FastAPI's between them."""

    def __init__(self, path: str, handler: Handler, *, action: str, **options: Any) -> None:
        super().__init__(path, handler, **options)
        self.action = action
        self._methods = frozenset(self.methods or ())
        self._prefix = path.partition("{")[0]

        async def respond(request: Request) -> Response:
            caller = request.scope[CALLER] = caller_of_http(request.scope["headers"])
            authorize(caller, action)
            return await handler(request)

        self.app = request_response(respond)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full or none: ``responses`` finds the other methods of a path, and only for a request without a route.

        Routes are tried in order, so the two cheap comparisons before the regular expression pay for each read.
        """
        if scope.get("method") not in self._methods or self._prefix not in scope["path"]:
            return Match.NONE, {}
        match, child_scope = Route.matches(self, scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


class Routes:
    """The routes of one resource, in the order in which they are tried; ``models`` are the contracts they refer to."""

    def __init__(self, tag: str) -> None:
        self.routes: list[EpicRoute] = []
        self.models: dict[str, type[BaseModel]] = {}
        self._tag = tag

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        action: str,
        summary: str,
        body: type[BaseModel] | None = None,
        response: type[BaseModel] | None = None,
        many: bool = False,
        parameters: Sequence[Mapping[str, Any]] = (),
        conditional: bool = True,
    ) -> None:
        """Adds one operation. ``action`` is what the caller must be permitted to do, such as ``event.create``.

        ``many``: the response is a page, ``{Items: [response], NextCursor}``. ``conditional=False``: a PUT or DELETE
        of something without a version, which takes no If-Match.
        """
        check_action(action)
        described: dict[str, Any] = {"parameters": [*_path_parameters(path), *parameters]}
        if method in ("POST", "PUT", "DELETE"):
            described["parameters"] += [_IDEMPOTENCY_KEY]
            described["parameters"] += [_IF_MATCH] if method != "POST" and conditional else []
        if body is not None:
            described["requestBody"] = {"required": True, "content": {"application/json": {"schema": self._ref(body)}}}
        schema = self._ref(response) if response else {"type": "object"}
        described["responses"] = _responses(_page_of(schema) if many else schema)
        name = f"{method.lower()}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}"
        self.routes.append(
            EpicRoute(
                path,
                handler,
                action=action,
                methods=[method],
                summary=summary,
                tags=[self._tag],
                operation_id=name,
                response_class=Response,
                response_model=None,
                openapi_extra=described,
            )
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


def _page_of(item: dict[str, Any]) -> dict[str, Any]:
    cursor = {"type": ["string", "null"], "description": "Give it as Cursor to get the next page."}
    return {
        "type": "object",
        "required": ["Items", "NextCursor"],
        "properties": {"Items": {"type": "array", "items": item}, "NextCursor": cursor},
    }


def _responses(schema: dict[str, Any]) -> dict[str, Any]:
    problem = {"content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}}
    return {
        "200": {"description": "Done", "content": {"application/json": {"schema": schema}}},
        "4XX": {"description": "Refused: the problem says what and why", **problem},
        "5XX": {"description": "Not now: the store is away, or an error of EPIC's own", **problem},
    }


def openapi(app: FastAPI, routes: Sequence[Routes]) -> dict[str, Any]:
    """The OpenAPI document of ``app``, with the contracts of ``routes`` as its schemas."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    models = {name: model for part in routes for name, model in part.models.items()} | {"Problem": Problem}
    _, schemas = models_json_schema([(model, "validation") for model in models.values()], ref_template=_REF)
    document.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
    return document

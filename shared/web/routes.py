"""The routes of a service: one call of ``Routes.add`` each, which names the action and describes it for OpenAPI.

Handlers take the Starlette request and return the response's bytes. FastAPI's own handling of a call (dependencies,
parameter and response models) would cost 55 µs on top of the 27 µs of a whole read (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, request_response
from starlette.types import Scope

from shared.schemas.base import Count, Id
from shared.security import authorize, caller_of_http, check_action
from shared.web.middleware import BODY
from shared.web.openapi import JSON, Operation, Tag
from shared.web.protection import JSON_TYPES, check_media_type

Handler = Callable[[Request], Awaitable[Response]]

CALLER: Final = "epic.caller"
"""The key in a request's scope under which its ``Principal`` is."""

_PATH_TYPES: Final = {"VersionId": Count}
"""The types of path parameters that are no ids."""


class EpicRoute(APIRoute):
    """A route that asks for permission, checks the body's media type and calls its handler, without FastAPI."""

    def __init__(
        self, path: str, handler: Handler, *, action: str, body_types: Collection[str] = JSON_TYPES, **options: Any
    ) -> None:
        super().__init__(path, handler, **options)
        self.action = action
        self._methods = frozenset(self.methods or ())
        self._prefix = path.partition("{")[0]

        async def respond(request: Request) -> Response:
            caller = request.scope[CALLER] = caller_of_http(request.scope["headers"])
            authorize(caller, action)
            if request.scope.get(BODY) and request.headers.get("content-type") not in body_types:
                check_media_type(request.scope["headers"], body_types)  # it has parameters, or it is another one
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
    """The routes of one group of operations, in the order in which they are tried.

    ``path_types`` are the types of the path's parameters that are no ids.
    """

    def __init__(self, tag: str, description: str = "", *, path_types: Mapping[str, Any] | None = None) -> None:
        self.routes: list[EpicRoute] = []
        self.operations: list[Operation] = []
        self.tag = Tag(tag, description)
        self._path_types = {**_PATH_TYPES, **(path_types or {})}

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        action: str,
        summary: str,
        operation_id: str | None = None,
        body: type[BaseModel] | None = None,
        response: type[BaseModel] | None = None,
        many: bool = False,
        parameters: Sequence[Mapping[str, Any]] = (),
        conditional: bool = True,
        has_cause: bool = True,
        body_types: Collection[str] = JSON_TYPES,
        media_type: str = JSON,
        also: Mapping[int, type[BaseModel]] | None = None,
    ) -> None:
        """Adds one operation. ``action`` is what the caller must be permitted to do, such as ``event.create``.

        ``operation_id`` names the operation in generated clients; made of method and path unless given. ``many``: the
        response is a page, ``{Items: [response], NextCursor}``. ``conditional=False``: a PUT or DELETE of something
        without a version, which takes no If-Match. ``has_cause=False``: a write that takes no Idempotency-Key and
        records nobody. ``body_types``: the media types of the body, ``media_type``: that of the answer. ``also``: what
        other statuses answer.
        """
        check_action(action)
        words = [word for word in path.split("/") if word]
        names = [word[1:-1] for word in words if word.startswith("{")]
        camel = "".join(word[:1].upper() + word[1:] for word in words if not word.startswith("{"))
        operation = Operation(
            operation_id=operation_id or f"{method.lower()}{camel}",
            method=method,
            path=path,
            summary=summary,
            path_types={name: self._path_types.get(name, Id) for name in names},
            parameters=parameters,
            body=body,
            answer=response,
            many=many,
            conditional=conditional,
            has_cause=has_cause,
            media_type=media_type,
            also=also or {},
        )
        self.operations.append(operation)
        bare = {"response_class": Response, "response_model": None}
        route = EpicRoute(path, handler, action=action, body_types=body_types, methods=[method], **bare)
        self.routes.append(route)

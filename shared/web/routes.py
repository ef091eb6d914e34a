"""The routes of a service: one call of ``Routes.add`` each, which names the action and describes it for OpenAPI.

Handlers take the Starlette request and return the response's bytes. FastAPI's own handling of a call (dependencies,
parameter and response models) would cost 55 µs on top of the 27 µs of a whole read (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import Response

from shared.schemas.base import Count, Id
from shared.security import check_action
from shared.web.openapi import JSON, Operation, Tag
from shared.web.protection import JSON_TYPES
from shared.web.routing import EpicRoute, Handler

_PATH_TYPES: Final = {"VersionId": Count, "OtherVersionId": Count}
"""The types of path parameters that are no ids."""


class Routes:
    """The routes of one group of operations, in the order in which they are tried.

    ``path_types`` are the types of the path's parameters that are no ids.
    """

    def __init__(self, tag: str, description: str = "", *, path_types: Mapping[str, Any] | None = None) -> None:
        self.routes: list[EpicRoute] = []
        self.operations: list[Operation] = []
        self.tag = Tag(tag, description)
        self._path_types = {**_PATH_TYPES, **(path_types or {})}

    def without(self, operations: Collection[tuple[str, str]]) -> Routes:
        """The same without those of these methods and paths."""
        rest = Routes(self.tag.name, self.tag.description, path_types=self._path_types)
        kept = [
            (route, one)
            for route, one in zip(self.routes, self.operations, strict=True)
            if (one.method, one.path) not in operations
        ]
        rest.routes, rest.operations = [route for route, _ in kept], [one for _, one in kept]
        return rest

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
        batch: bool = False,
        shares_path: bool = False,
        parameters: Sequence[Mapping[str, Any]] = (),
        conditional: bool = True,
        has_cause: bool = True,
        body_types: Collection[str] = JSON_TYPES,
        media_type: str = JSON,
        also_offered: Sequence[str] = (),
        also: Mapping[int, type[BaseModel]] | None = None,
        streams: int = 0,
        examples: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds one operation. ``action`` is what the caller must be permitted to do, such as ``event.create``.

        ``operation_id`` names the operation in generated clients; made of method and path unless given. ``many``: the
        response is a page, ``{Items: [response], NextCursor}``; ``batch``: it is ``{Items: [response], Missing}``.
        ``shares_path``: a word of the path may also be an id, in the path of another route with other methods.
        ``conditional=False``: a PUT or DELETE of something without a version, which takes no If-Match.
        ``has_cause=False``: a write that takes no Idempotency-Key and records nobody. ``body_types``: the media types
        of the body, ``media_type``: that of the answer, ``also_offered``: those that a caller gets who asks for them by
        ``Accept``. ``also``: what other statuses answer. ``streams``: the most bytes of a body that the handler reads
        by ``streamed_body``, which may be more than any other body has; it has no ``body``. ``examples``: of bodies and
        answers without a contract, by their media types.
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
            batch=batch,
            conditional=conditional,
            has_cause=has_cause,
            media_type=media_type,
            also_offered=also_offered,
            also=also or {},
            streamed=tuple(sorted(body_types)) if streams else (),
            examples=examples or {},
        )
        self.operations.append(operation)
        options: dict[str, Any] = {"methods": [method], "response_class": Response, "response_model": None}
        options |= {"body_types": body_types, "offers": (media_type, *also_offered), "streams": streams}
        options |= {"has_cause": has_cause, "shares_path": shares_path}
        self.routes.append(EpicRoute(path, handler, action=action, **options))

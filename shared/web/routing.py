"""How a request finds its route, and what every route does before and after its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from shared.conditions import refuse_condition
from shared.security import authorize, caller_of_http
from shared.web.headers import accepted_offer, condition_in, under_condition
from shared.web.protection import check_media_type

Handler = Callable[[Request], Awaitable[Response]]

CALLER: Final = "epic.caller"
"""The key in a request's scope under which its ``Principal`` is."""

BODY: Final = "epic.body"
"""The key in a request's scope under which its body is, as bytes; a read has none."""

OFFER: Final = "epic.offer"
"""The key in a request's scope under which the media type is that ``Accept`` likes best; absent where it likes all."""

_WITHOUT_PREFERENCE: Final = b"*/*"


class EpicRoute(APIRoute):
    """A route that asks for permission and calls its handler, with nothing of FastAPI's between them.

    A GET route answers HEAD as well; the server leaves the body out. ``body_types``: the media types of a body that it
    takes. ``offers``: the media types of its answer; a request that accepts none of them is refused (406), and where
    there are several the handler finds the one to answer with by ``offer_of``. ``has_cause``: whether the handler of a
    write reads its cause, with the conditions on it. ``shares_path``: other methods of its path are those of a route
    that has a parameter where this one has a word. ``streams``: the most bytes of a body that the handler reads itself,
    by ``streamed_body``; 0: it is read before the route is called.
    """

    def __init__(
        self,
        path: str,
        handler: Handler,
        *,
        action: str,
        body_types: Collection[str],
        offers: Sequence[str],
        has_cause: bool,
        shares_path: bool = False,
        streams: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(path, handler, **options)
        self.action = action
        self.shares_path = shares_path
        self._handler = handler
        self._offers = offers
        self._body_types = body_types
        self._plain_body_types = frozenset(kind.encode() for kind in body_types)
        self._is_read = "GET" in (self.methods or ())
        self._takes_conditions = self._is_read or has_cause
        self.streams = streams
        self.answers = frozenset(("GET", "HEAD") if self._is_read else self.methods or ())
        """The methods that work. OpenAPI lists those in ``methods``, without HEAD."""
        self._prefix = path.partition("{")[0]
        self._hidden_at: Sequence[dict[str, str]] = ()

    def hide_behind(self, routes: Sequence[EpicRoute]) -> None:
        """Leaves to those of ``routes`` their paths that have words where this one's has parameters.

        ``/fleet/{FleetId}/inventory`` is such a path of ``/fleet/{FleetId}/{EventId}``, whatever its methods, unless it
        shares the path.
        """
        at = (_words_in_place(self.path, other.path) for other in routes if not other.shares_path)
        self._hidden_at = [words for words in at if words]

    def takes(self, scope: Scope) -> bool:
        """Whether the request's path is this route's, with whatever method."""
        match, child_scope = Route.matches(self, scope)
        return match is not Match.NONE and not self._is_hidden(child_scope["path_params"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full or none: ``allowed_methods`` finds the other methods of a path, and only for a request without a route.

        Routes are tried in order, so the two cheap comparisons before the regular expression pay for each read.
        """
        if scope.get("method") not in self.answers or self._prefix not in scope["path"]:
            return Match.NONE, {}
        match, child_scope = Route.matches(self, scope)
        if match is Match.NONE or (self._hidden_at and self._is_hidden(child_scope["path_params"])):
            return Match.NONE, {}
        child_scope["route"] = self
        return Match.FULL, child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request; it raises what the handler raises, as a problem of the request."""
        headers = scope["headers"]
        caller = scope[CALLER] = caller_of_http(headers)
        authorize(caller, self.action)
        given = dict(headers)
        media_type = given.get(b"content-type")
        if not self._is_read and media_type not in self._plain_body_types:
            has_body = bool(self.streams or scope.get(BODY))  # a streamed body has not been read
            if media_type or has_body:
                check_media_type(headers, self._body_types, has_body=has_body)  # it has parameters, or is another one
        if given.get(b"accept", _WITHOUT_PREFERENCE) != _WITHOUT_PREFERENCE:
            scope[OFFER] = accepted_offer(headers, self._offers)
        has_condition = b"if-none-match" in given or b"if-match" in given
        if has_condition and not self._takes_conditions:
            refuse_condition(condition_in(headers))
        response = await self._handler(Request(scope, receive, send))
        if has_condition and self._is_read:
            response = under_condition(response, headers)
        await response(scope, receive, send)

    def _is_hidden(self, parameters: dict[str, str]) -> bool:
        return any(words.items() <= parameters.items() for words in self._hidden_at)


def offer_of(request: Request, first: str) -> str:
    """The media type to answer with; ``first`` is the route's first offer."""
    offer: str = request.scope.get(OFFER, first)
    return offer


def _words_in_place(path: str, other: str) -> dict[str, str]:
    """The parameters of a path that are words in the other one; none unless the other one is a case of it."""
    mine, theirs = path.split("/"), other.split("/")
    if len(mine) != len(theirs):
        return {}
    words = dict[str, str]()
    for part, other_part in zip(mine, theirs, strict=True):
        if part.startswith("{"):
            if not other_part.startswith("{"):
                words[part.strip("{}")] = other_part
        elif part != other_part:
            return {}
    return words


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """The methods that work at the request's path: those of every route of this path, and OPTIONS; or none at all."""
    allowed = set[str]()
    for route in routes:
        if isinstance(route, EpicRoute):
            allowed |= route.answers if route.takes(scope) else frozenset()
        elif isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            allowed |= route.methods or set()
    return allowed | {"OPTIONS"} if allowed else allowed

"""Owns the dead letters' side of a service's HTTP: listed, looked into, replayed, dropped."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shared.errors import BadInput
from shared.messaging.deadletters import DeadLetters
from shared.schemas.results import DeadLetter
from shared.web.answers import json_answer
from shared.web.openapi import Parameter, Routes
from shared.web.requests import cursor_of, page_of, query_of

__all__ = ["dead_letter_routes"]

_PAGE = (Parameter("Limit", "At most so many: 1 to 1000.", kind="integer"), Parameter("Cursor", "NextCursor."))


def dead_letter_routes(dead_letters: DeadLetters) -> Routes:
    """``GET /dlq``, ``GET /dlq/{Id}``, ``POST /dlq/{Id}/replay``, ``DELETE /dlq/{Id}``."""
    routes = Routes("dead letters")

    async def listed(request: Request) -> Response:
        page = page_of(query_of(request, ("Limit", "Cursor")))
        if page.after is not None and not isinstance(page.after, str):
            raise BadInput("Cursor leads nowhere; give NextCursor as it was answered")
        letters = await dead_letters.list(page.after, page.limit + 1)
        shown, more = letters[: page.limit], len(letters) > page.limit
        after = shown[-1].id if more else None
        return json_answer({"Items": [letter.wire() for letter in shown], "NextCursor": cursor_of(after)})

    async def one(request: Request) -> Response:
        return json_answer((await dead_letters.get(request.path_params["Id"])).wire())

    async def replay(request: Request) -> Response:
        letter_id = request.path_params["Id"]
        await dead_letters.replay(letter_id)
        return json_answer({"Id": letter_id, "Outcome": "Replayed"})

    async def drop(request: Request) -> Response:
        letter_id = request.path_params["Id"]
        await dead_letters.drop(letter_id)
        return json_answer({"Id": letter_id, "Outcome": "Dropped"})

    routes.add("GET", "/dlq", listed, summary="Dead letters, by id", answer=DeadLetter, many=True, parameters=_PAGE)
    routes.add("GET", "/dlq/{Id}", one, summary="One dead letter, with the record in base64", answer=DeadLetter)
    routes.add("POST", "/dlq/{Id}/replay", replay, summary="Handle its record again; 409 when it fails again")
    routes.add("DELETE", "/dlq/{Id}", drop, summary="Forget it for good", conditional=False)
    return routes

"""The HTTP routes of dead letters: list, read, replay, drop."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from shared.messaging.dead_letter_queue import DeadLetterQueue
from shared.schemas.results import DeadLetter
from shared.web import PAGING, Routes, cursor_of, json_response, page_of, query_of


def dead_letter_routes(dead_letters: DeadLetterQueue) -> Routes:
    """``GET /dlq``, ``GET /dlq/{Id}``, ``POST /dlq/{Id}/replay``, ``DELETE /dlq/{Id}``."""
    routes = Routes("dead letters")

    async def listed(request: Request) -> Response:
        page = page_of(query_of(request, ("Limit", "Cursor")))
        letters = await dead_letters.list(page.after, page.limit + 1)
        shown, more = letters[: page.limit], len(letters) > page.limit
        after = shown[-1].id if more else None
        return json_response({"Items": [letter.wire() for letter in shown], "NextCursor": cursor_of(after)})

    async def one(request: Request) -> Response:
        return json_response((await dead_letters.get(request.path_params["Id"])).wire())

    async def replay(request: Request) -> Response:
        letter_id = request.path_params["Id"]
        await dead_letters.replay(letter_id)
        return json_response({"Id": letter_id, "Outcome": "Replayed"})

    async def drop(request: Request) -> Response:
        letter_id = request.path_params["Id"]
        await dead_letters.drop(letter_id)
        return json_response({"Id": letter_id, "Outcome": "Dropped"})

    add, shown = routes.add, partial(routes.add, response=DeadLetter, action="dead-letter.read")
    shown("GET", "/dlq", listed, summary="Dead letters, by id", many=True, parameters=PAGING)
    shown("GET", "/dlq/{Id}", one, summary="One dead letter, with the record in base64")
    summary = "Handle its record again; 409 when it fails again"
    add("POST", "/dlq/{Id}/replay", replay, action="dead-letter.replay", summary=summary)
    add("DELETE", "/dlq/{Id}", drop, action="dead-letter.drop", summary="Forget it for good", conditional=False)
    return routes

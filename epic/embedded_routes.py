"""The HTTP routes ``/embedded/*`` of an ``epic up``: the embedded log for other processes of this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from epic.api import NDJSON
from epic.failure import CommandFailed
from epic.messages import Messages, SeenRecord, message_of, next_or_none
from shared.clock import Clock
from shared.errors import BadInput, Forbidden, NotFound, Poison, Problem
from shared.schemas.topics import TOPICS
from shared.schemas.validation import decode_object
from shared.web.protection import JSON_TYPES, check_media_type
from shared.web.responses import handle_errors, json_response, problem_response

Waiting = Callable[[], Awaitable[dict[str, int]]]

_LONGEST_ANSWER: Final = 100.0
_KEEP_ALIVE: Final = 3.0  # seconds without a record until an empty line; a client waits ten for the next bytes


class EmbeddedRoutes:
    """``POST /embedded/produce``, ``GET /embedded/tail``, ``GET /embedded/waiting``; ``close`` ends every open tail.

    They replace Kafka's port, so only clients on this machine are accepted.
    """

    def __init__(self, messages: Messages, waiting: Waiting, clock: Clock) -> None:
        self._messages = messages
        self._waiting = waiting
        self._clock = clock
        self._closed = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/embedded/produce", self._produce, methods=["POST"]),
                Route("/embedded/tail", self._tail, methods=["GET"]),
                Route("/embedded/waiting", self._backlog, methods=["GET"]),
            ],
            exception_handlers={CommandFailed: _failed, Exception: _unexpected},
        )
        handle_errors(self.app)

    def close(self) -> None:
        self._closed.set()

    async def _produce(self, request: Request) -> Response:
        _check_is_local(request)
        check_media_type(request.scope["headers"], JSON_TYPES)
        wire = decode_object(await request.body())
        try:
            message = message_of(wire, self._clock.now())
        except Poison as error:
            raise BadInput(str(error)) from None
        _known(message.topic)
        within = wire.get("AnswerWithin")
        if within is None:
            await self._messages.produce(message)
            return json_response({"Id": message.id})
        if not isinstance(within, int | float) or not 0 < within <= _LONGEST_ANSWER:
            raise BadInput(f"AnswerWithin is {within!r}; give seconds, at most {_LONGEST_ANSWER:g}")
        try:
            result = await self._messages.request(message, patience=within)
        except CommandFailed as failure:
            return json_response({"Id": message.id, "Answer": None, "Detail": failure.text})
        return json_response({"Id": message.id, "Answer": result.wire()})

    async def _tail(self, request: Request) -> Response:
        _check_is_local(request)
        query = request.query_params
        topic = _known(query.get("Topic", ""))
        if request.method == "HEAD":
            return Response(media_type=NDJSON)  # a stream without its records would only wait for them
        records = self._messages.follow(
            topic,
            from_beginning=query.get("From") == "beginning",
            to_end=query.get("Follow") == "false",
        )
        return StreamingResponse(self._lines(records), media_type=NDJSON)

    async def _backlog(self, request: Request) -> Response:
        _check_is_local(request)
        return json_response(await self._waiting())

    async def _lines(self, records: AsyncIterator[SeenRecord]) -> AsyncIterator[bytes]:
        """Each record as a line, until there are no more, or until ``close``; an empty line while there is none."""
        closed = asyncio.ensure_future(self._closed.wait())
        coming = asyncio.ensure_future(next_or_none(records))
        try:
            while not closed.done():
                await asyncio.wait({coming, closed}, timeout=_KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    yield b"\n"
                    continue
                record = coming.result()
                if record is None:
                    return
                yield orjson.dumps(record.wire()) + b"\n"
                coming = asyncio.ensure_future(next_or_none(records))
        finally:
            closed.cancel()
            coming.cancel()


def _known(topic: str) -> str:
    if topic not in TOPICS:
        raise NotFound(f"there is no topic {topic!r}; `epic topics` lists them", slug="no-such-topic")
    return topic


def _check_is_local(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if not here:
        raise Forbidden("the messages of an `epic up` are for its own machine; run the command there", slug="not-here")


async def _failed(request: Request, failure: Any) -> Response:
    return problem_response(Problem(failure.text, slug="failed", title="Failed"), request.url.path)


async def _unexpected(request: Request, _: Any) -> Response:
    """The answer to an unexpected error; the server logs the error itself."""
    return problem_response(Problem("an unexpected error; the log has it"), request.url.path)

"""The HTTP routes ``/embedded/*`` of an ``epic up``: the embedded log for other processes of this machine."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from epic.api import NDJSON
from epic.failure import CommandFailed
from epic.messages import Messages, SeenRecord, next_or_none
from shared.clock import Clock
from shared.envelope import Message
from shared.errors import BadInput, FieldError, Forbidden, NotFound, Poison, Problem
from shared.schemas.base import WireModel
from shared.schemas.decoding import decode_object
from shared.schemas.topics import TOPICS
from shared.schemas.validation import validated
from shared.web import Parameter, Routes, json_response, query_of
from shared.web.routing import BODY

Waiting = Callable[[], Awaitable[dict[str, int]]]

_LONGEST_ANSWER: Final = 100.0
_KEEP_ALIVE: Final = 3.0  # seconds without a record until an empty line; a client waits ten for the next bytes

_TAIL: Final = (
    Parameter("Topic", "The topic."),
    Parameter("From", "Where to begin; `now` unless given.", of=Literal["beginning", "now"]),
    Parameter(
        "Follow", "Whether to wait for more at the present end; `true` unless given.", of=Literal["true", "false"]
    ),
)


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError("give it in base64") from None


_Base64 = Annotated[bytes, BeforeValidator(_decoded)]


class _Produce(WireModel):
    """A record to be produced, as ``wire_of`` makes it of a message; the answer is waited for, so many seconds."""

    topic: str
    key: str
    value: _Base64
    headers: list[tuple[str, _Base64]]
    answer_within: Annotated[float | None, Field(gt=0, le=_LONGEST_ANSWER)] = None


class EmbeddedRoutes:
    """``POST /embedded/produce``, ``GET /embedded/tail``, ``GET /embedded/waiting``; ``close`` ends every open tail.

    They replace Kafka's port, so only clients on this machine are accepted.
    """

    def __init__(self, messages: Messages, waiting: Waiting, clock: Clock) -> None:
        self._messages = messages
        self._waiting = waiting
        self._clock = clock
        self._closed = asyncio.Event()
        self.routes = Routes("embedded", "The embedded log, for other processes of this machine.")
        add, write = self.routes.add, dict[str, Any](has_cause=False, conditional=False)
        summary = "Produce a record, and wait for the answer to a command"
        add("POST", "/embedded/produce", self._produce, action="message.produce", summary=summary, **write)
        summary = "The records of a topic, a line each"
        lines: dict[str, Any] = {"parameters": _TAIL, "media_type": NDJSON}
        add("GET", "/embedded/tail", self._tail, action="message.read", summary=summary, **lines)
        summary = "How many events are to be published, and records to be handled"
        add("GET", "/embedded/waiting", self._backlog, action="message.read", summary=summary)

    def close(self) -> None:
        self._closed.set()

    async def _produce(self, request: Request) -> Response:
        _check_is_local(request)
        asked = validated(_Produce, decode_object(request.scope[BODY]))
        message = self._message(asked)
        if asked.answer_within is None:
            try:
                await self._messages.produce(message)
            except CommandFailed as failure:
                raise Problem(failure.text, slug="failed", title="Failed") from None
            return json_response({"Id": message.id})
        try:
            result = await self._messages.request(message, patience=asked.answer_within)
        except CommandFailed as failure:
            return json_response({"Id": message.id, "Answer": None, "Detail": failure.text})
        return json_response({"Id": message.id, "Answer": result.wire()})

    def _message(self, asked: _Produce) -> Message:
        stamp = int(self._clock.now().timestamp() * 1000)
        headers = tuple(asked.headers)
        record = SeenRecord(_known(asked.topic), 0, 0, stamp, asked.key.encode(), asked.value, headers)
        try:
            return record.message()
        except Poison as error:
            raise BadInput(str(error), [FieldError("/Headers", "give those of a CloudEvent")]) from None

    async def _tail(self, request: Request) -> Response:
        _check_is_local(request)
        query = query_of(request, _TAIL)
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
        query_of(request)
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

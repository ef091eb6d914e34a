"""The server's side of a connection: what a request may have and take before a service sees it (4.11i).

uvicorn limits neither the header fields nor the time, and answers its own refusals as plain text.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, Final, NoReturn

import httptools
import structlog
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared.errors import Problem
from shared.schemas.base import BODY_LIMIT
from shared.web.responses import problem_response

log = structlog.get_logger(__name__)

MAX_HEAD_BYTES: Final = 65_536
"""The bytes of a request line with its header fields, and of the trailer fields after a body in chunks."""

MAX_FIELDS: Final = 100
"""The header fields of a request. Browsers send some twenty, and proxies add a few."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds within which all of a request must arrive, its body included; 1 MiB takes less on a slow line.

A larger body, which only a route that streams it takes, has so long for each further MiB."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_OF_VERSION: Final = frozenset({"Invalid HTTP version", "Pause on PRI/Upgrade"})  # the parser's words
_REQUEST_LINE: Final = re.compile(rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]+) \S+ HTTP/[0-9]\.[0-9]\r?\n")
_ABSOLUTE_FORM: Final = re.compile(rb"https?://([^/?#@]+)((?:[/?].*)?)", re.IGNORECASE)

_BAD_REQUEST: Final = Problem("this is no HTTP/1.1 request", slug="bad-request", status=400, title="Bad request")
_OTHER_VERSION: Final = Problem(
    "EPIC speaks HTTP/1.1", slug="http-version", status=505, title="HTTP version not supported"
)

_LINGER: Final = 1.0
"""Seconds for which a client that was refused may go on sending: closing with bytes unread would lose the answer."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 of one connection.

    A request with too many or too large header fields is refused (431), one that does not arrive in time is too (408),
    one in another version of HTTP (505), one with a method or a transfer coding that EPIC does not implement (501), and
    what is not HTTP (400). Each answer is a problem, and ends the connection, once the complete requests before it are
    answered. A connection on which no request has begun is closed without one.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.url = b""
        self._head_bytes = 0  # received since the request, or its last chunk, began, without the body
        self._chunk_bytes = 0  # of what was received last
        self._body_bytes = 0  # of the body of the request, modulo 1 MiB
        self._piece = b""  # what is being parsed, unless a request in it is complete
        self._request_bytes = 0  # received since the request began, and in the chunk in which it began
        self._arriving = False  # a request has begun and is not complete
        self._in_body = False  # its header fields are complete
        self._deadline: asyncio.TimerHandle | None = None
        self._problem: Problem | None = None
        self._ended = False  # refused: what still comes is not looked at
        self._last_answer: bytes | None = None  # a refusal that waits for the answers to earlier requests

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._chunk_bytes, self._piece = len(data), data
        self._head_bytes += len(data)
        self._request_bytes += len(data)
        super().data_received(data)
        self._piece = b""
        if self._ended or self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES:  # of a field that has no end the parser reports nothing
            self._refuse(_too_large())
        elif self._arriving or self.cycle is None or self.cycle.response_complete:
            self._watch()
        else:
            self._unwatch()

    def on_message_begin(self) -> None:
        self._unwatch()  # each request has the whole time
        self._arriving = True
        self._request_bytes = self._chunk_bytes
        self._body_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._check_fields()
        self._check_head()
        super().on_headers_complete()
        self._in_body = True
        self.headers = []  # a trailer field is no header field (RFC 9110, 6.5.1): the scope must not get it

    def on_chunk_header(self) -> None:
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._head_bytes -= len(body)
        self._body_bytes += len(body)
        if self._body_bytes >= BODY_LIMIT:
            self._body_bytes %= BODY_LIMIT
            self._unwatch()  # what is still to come has the whole time again
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._check_fields()  # of the trailer
        self._head_bytes = 0
        self._piece = b""
        self._arriving = self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser reports an error."""
        self._refuse(self._problem or _problem_of(sys.exception(), self._piece))

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._last_answer is not None and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._end(self._last_answer)

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to log: a request to change the protocol is answered as one that does not ask for it (RFC 9110)."""

    def _check_fields(self) -> None:
        if len(self.headers) > MAX_FIELDS or (self._request_bytes > MAX_HEAD_BYTES and self._fields_are_too_large()):
            self._stop(_too_large())

    def _check_head(self) -> None:
        """Stops at what EPIC does not implement. An absolute target becomes a path, and its host that of the request
        (RFC 9112, 3.2.2)."""
        method = self.parser.get_method()
        if self.parser.get_http_version() not in _VERSIONS:
            self._stop(_OTHER_VERSION)
        if method == b"CONNECT":
            self._stop(_not_implemented("the method CONNECT"))
        if any(name == b"transfer-encoding" and value.strip().lower() != b"chunked" for name, value in self.headers):
            self._stop(_not_implemented("a transfer coding other than chunked"))
        if not self.url.startswith(b"/") and not (self.url == b"*" and method == b"OPTIONS"):
            absolute = _ABSOLUTE_FORM.fullmatch(self.url)
            if absolute is None:
                self._stop(_BAD_REQUEST)
            self.headers[:] = [(name, absolute[1] if name == b"host" else value) for name, value in self.headers]
            self.url = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]

    def _stop(self, problem: Problem) -> NoReturn:
        self._problem = problem
        raise ValueError("the parser stops here and reports an error")

    def _fields_are_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT, self._on_deadline)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if not self._arriving or self.transport.is_closing():
            self.transport.close()
        elif self._earlier_is_open():
            self._watch()
        else:
            detail = f"the request did not arrive within {REQUEST_TIMEOUT:g} s"
            self._refuse(Problem(detail, slug="request-timeout", status=408, title="Request timeout"))

    def _earlier_is_open(self) -> bool:
        """Whether a request before the one that is arriving has not been answered to its end."""
        if self._in_body:
            return bool(self.pipeline)
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Answers the request that is arriving, unless its own answer has begun; ends the connection."""
        path = self.url.partition(b"?")[0].decode("latin-1")
        log.info("request refused", status=problem.status, path=path, reason=problem.detail)
        answer, waits = self._encoded(problem_response(problem, path)), self._earlier_is_open()
        self._ended = True
        self._unwatch()
        if self._in_body and waits:
            self.pipeline.popleft()  # the newest: its application has not been called and is not called any more
        elif self._in_body:
            if self.cycle.response_started:
                answer = b""
            self.cycle.disconnected = True  # what its application still sends goes nowhere
            self.cycle.message_event.set()
        if waits:
            self._last_answer = answer
        else:
            self._end(answer)

    def _end(self, answer: bytes) -> None:
        """Sends the last answer of this connection and closes it a little later."""
        self.transport.write(answer)
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(_LINGER, self.transport.close)

    def _encoded(self, response: Response) -> bytes:
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        body = b"" if self.parser.get_method() == b"HEAD" else bytes(response.body)
        return STATUS_LINE[response.status_code] + lines + b"\r\n" + body


def _problem_of(error: BaseException | None, piece: bytes) -> Problem:
    """What the parser found wrong; ``piece`` begins with the request, or is empty where that is not known."""
    if str(error) in _OF_VERSION:
        return _OTHER_VERSION
    line = _REQUEST_LINE.match(piece) if isinstance(error, httptools.HttpParserInvalidMethodError) else None
    return _BAD_REQUEST if line is None else _not_implemented(f"the method {line[1].decode()}")


def _not_implemented(what: str) -> Problem:
    return Problem(f"EPIC does not implement {what}", slug="not-implemented", status=501, title="Not implemented")


def _too_large() -> Problem:
    return Problem(
        f"the header fields may have {MAX_HEAD_BYTES} bytes in all, and there may be {MAX_FIELDS}; send fewer",
        slug="headers-too-large",
        status=431,
        title="Request header fields too large",
    )

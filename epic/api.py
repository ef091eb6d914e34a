"""The HTTP client of the command line: it retries what passes, and makes refusals readable.

It uses aiohttp: at 32 connections a request costs 0.08 ms of processor time, with httpx 0.9 to 2.2 ms, and `epic load`
of 1,300 rows takes 0.9 s, with httpx 8 s.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import orjson

from epic.configuration import SILENCE
from epic.failure import SOME_FAILED, CommandFailed, Declined, NotEpic, Unreachable
from shared.durability.backoff import Backoff
from shared.messaging.transport import RECORD_BYTES

_PASSING: Final = frozenset({429, 502, 503, 504})
_PAUSES: Final = Backoff(first=0.1, longest=3.0)
_PROBLEM: Final = "urn:epic:problem:"
NDJSON: Final = "application/x-ndjson"
_OF_ANOTHER_SERVER: Final = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientResponseError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientOSError,  # the connection was reset; ClientConnectorError, which is one too, is when there was none
)
_LINE_BYTES: Final = 2 * RECORD_BYTES  # the longest line is one record in base64, which is a third longer


def login_name() -> str:
    """The user of this machine, whom EPIC records as the author of a change."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "anonymous"


@dataclass(frozen=True, slots=True)
class Answer:
    """EPIC's answer. ``body`` is the JSON, None where there is none."""

    status: int
    body: Any
    method: str
    path: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def problem(self) -> dict[str, Any]:
        """The problem+json of a refusal; empty when EPIC gave none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def slug(self) -> str:
        return str(self.problem.get("type", "")).rpartition(":")[2]

    @property
    def is_epics(self) -> bool:
        """Whether it has the form of EPIC's answers: a JSON object, and for a refusal one of EPIC's problems."""
        return isinstance(self.body, dict) and (self.ok or str(self.body.get("type")).startswith(_PROBLEM))

    def has(self, members: Mapping[str, Any]) -> bool:
        """Whether the body has these members, with these values; None stands for any value but null."""
        return all(
            self.body.get(name) is not None if value is None else self.body.get(name) == value
            for name, value in members.items()
        )

    @property
    def detail(self) -> str:
        """EPIC's reason for a refusal."""
        return str(self.problem.get("detail") or f"{self.method} {self.path} answered {self.status} without a reason")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The JSON pointer of each bad field, and its remedy."""
        return [
            (str(error.get("pointer", "")), str(error.get("detail", ""))) for error in self.problem.get("errors", ())
        ]

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status in _PASSING or (self.status == 409 and self.slug == "under-way")

    def reason(self) -> str:
        """The refusal in one line, bad fields included."""
        fields = "; ".join(f"{pointer or 'the body'}: {detail}" for pointer, detail in self.fields)
        return f"{self.detail} ({fields})" if fields else self.detail


class Api:
    """EPIC at one address. A failure that passes (503, 429, a lost connection) is retried for ``patience`` seconds.

    Every write has an Idempotency-Key or may be repeated anyway, so a retry does no harm.
    """

    def __init__(
        self, url: str, *, user: str | None = None, patience: float = 60, connections: int = 32, started: bool = False
    ) -> None:
        self.url = url.rstrip("/")
        self._user = user or login_name()
        self._patience = patience
        self._connections = connections
        self._reached = started

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=_waiting(SILENCE),
            headers={"X-Epic-User": self._user},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        user: str | None = None,
        query: Mapping[str, str] | None = None,
        answered_within: float = 0,
        having: Mapping[str, Any] | None = None,
        media_type: str = "application/json",
    ) -> Answer:
        """One request and its answer, whatever its status. ``body`` is bytes of JSON, or anything that becomes JSON.

        A path as ``body`` is sent as the file there is, of ``media_type``, without being in memory whole.

        ``answered_within``: seconds that EPIC itself may take for the answer. ``having``: members that its answer has
        when it accepts the request, as for ``Answer.has``. Unreachable when nothing has ever answered there, NotEpic
        when something else does; CommandFailed when EPIC stays away for longer than ``patience``.
        """
        headers = {name: value for name, value in (("Idempotency-Key", key), ("X-Epic-User", user)) if value}
        data = body if body is None or isinstance(body, bytes | Path) else orjson.dumps(body)
        if data is not None:
            headers["Content-Type"] = media_type
        until = time.monotonic() + self._patience
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._session.request(
                    method,
                    self.url + path,
                    data=data.open("rb") if isinstance(data, Path) else data,  # closed when it was sent
                    headers=headers,
                    params=query,
                    timeout=_waiting(SILENCE + answered_within),
                    allow_redirects=False,
                ) as response:
                    answer = Answer(response.status, _json(await response.read()), method, path)
                    is_last = not answer.passes or time.monotonic() >= until
                    if (is_last and not answer.is_epics) or (answer.ok and not answer.has(having or {})):
                        raise NotEpic(self.url, _described(answer, response))
                    self._reached = True
                    wait = _retry_after(response.headers.get("Retry-After"))
            except aiohttp.ClientResponseError as error:
                raise _no_epic(self.url, error) from None
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not self._reached:
                    raise _no_epic(self.url, error) from None
                if time.monotonic() >= until:
                    raise CommandFailed(
                        f"{self.url} went away ({_why(error)}) and did not come back within {self._patience:.0f} s; "
                        "see whether EPIC still runs, then give the same command again",
                        SOME_FAILED,
                    ) from None
                wait = None
            else:
                if is_last:
                    return answer
            await asyncio.sleep(_PAUSES.before(attempt) if wait is None else wait)

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of a request that must succeed; options as in ``call``. CommandFailed with EPIC's own reason."""
        answer = await self.call(method, path, body, **options)
        if not answer.ok:
            raise Declined(f"{method} {path} was refused: {answer.reason()}", answer.slug, SOME_FAILED)
        return answer.body

    async def pages(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[Any]:
        """Every page of a list."""
        cursor: dict[str, str] | None = {}
        while cursor is not None:
            page = await self.ask("GET", path, query={**(query or {}), **cursor})
            yield page
            cursor = {"Cursor": page["NextCursor"]} if page.get("NextCursor") else None

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """Every item of a list, page after page."""
        found: list[Any] = []
        async for page in self.pages(path, query):
            if not isinstance(page.get("Items"), list):
                raise NotEpic(self.url, f"GET {path} got no Items")
            found += page["Items"]
        return found

    async def text(self, path: str) -> str:
        """An answer that is no JSON, such as CSV. CommandFailed with EPIC's own reason."""
        try:
            async with self._session.get(self.url + path, allow_redirects=False) as response:
                content = await response.read()
                if response.status != 200:
                    answer = Answer(response.status, _json(content), "GET", path)
                    raise Declined(f"GET {path} was refused: {answer.reason()}", answer.slug, SOME_FAILED)
                return content.decode()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CommandFailed(f"{self.url} went away ({_why(error)})", SOME_FAILED) from None

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterable[bytes]]:
        """The lines of an answer that may go on for ever; EPIC sends an empty one where there is none for some time."""
        answered = False
        try:
            async with self._session.get(
                self.url + path, params=query, read_bufsize=_LINE_BYTES, allow_redirects=False
            ) as response:
                if response.status != 200 or response.content_type != NDJSON:
                    answer = Answer(response.status, _json(await response.read()), "GET", path)
                    if answer.ok or not answer.is_epics:
                        raise NotEpic(self.url, _described(answer, response))
                    raise Declined(answer.reason(), answer.slug)
                answered = True
                yield response.content
        except aiohttp.ClientError as error:
            if not answered:
                raise _no_epic(self.url, error) from None
            raise CommandFailed(f"{self.url} stopped answering ({_why(error)})", SOME_FAILED) from None


def _waiting(seconds: float) -> aiohttp.ClientTimeout:
    """Without an end for the whole: an answer of any length may be read, as long as it goes on coming."""
    return aiohttp.ClientTimeout(total=None, connect=SILENCE, sock_read=seconds)


def _no_epic(url: str, error: Exception) -> CommandFailed:
    """Why there is no EPIC at an address that never answered: nothing listens there, or what does is something else."""
    if isinstance(error, _OF_ANOTHER_SERVER) and not isinstance(error, aiohttp.ClientConnectorError):
        return NotEpic(url, _why(error))
    return Unreachable(url, _why(error))


def _described(answer: Answer, response: aiohttp.ClientResponse) -> str:
    return f"{answer.method} {answer.path} got {answer.status} {response.content_type}"


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _retry_after(value: str | None) -> float | None:
    return min(float(value), _PAUSES.longest) if value and value.isdigit() else None


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number and number > 0 else str(error.os_error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__

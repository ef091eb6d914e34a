"""Reads a request: its body, who asks and why, its condition, its query and its page."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from shared.cause import Cause, digest_of_request
from shared.clock import Clock
from shared.conditions import refuse_condition
from shared.errors import BadInput, FieldError
from shared.schemas.base import NAME_RULE, CommandBody, check_id, is_name
from shared.schemas.decoding import decode_object
from shared.schemas.validation import field_errors, validated
from shared.security import author_of
from shared.trace import current_trace
from shared.web.headers import condition_in, header_of
from shared.web.parameters import Parameter
from shared.web.responses import CAUSE, body_too_large
from shared.web.routing import BODY, CALLER

PAGE: Final = 100
_NO_OTHERS: Final[Mapping[str, TypeAdapter[Any]]] = {}


def read_write(request: Request, clock: Clock, *, conditional: bool = True) -> tuple[dict[str, Any], Cause]:
    """The JSON object of a write, and its cause; an empty body is an empty object.

    The user is ``X-Epic-User``, else ``AuditMetadata.User``, else anonymous. With an ``Idempotency-Key`` the cause has
    an id, of user, path and key, the query being part of the path. BadInput for a condition unless the write is
    ``conditional``: it has a version to compare.
    """
    scope, headers = request.scope, request.headers
    raw = scope.get(BODY, b"")
    body = decode_object(raw) if raw else {}
    given = {"AuditMetadata": body["AuditMetadata"]} if "AuditMetadata" in body else {}
    audit = validated(CommandBody, given).audit_metadata if given else None
    user = author_of(scope[CALLER], audit)
    key = headers.get("idempotency-key")
    if key is not None and not is_name(key):
        raise BadInput("Idempotency-Key is not usable", [FieldError("/Idempotency-Key", f"give {NAME_RULE}")])
    query = scope["query_string"].decode("latin-1")
    path = f"{scope['path']}?{query}" if query else scope["path"]
    cause = Cause(
        now=clock.now(),
        user=user,
        trace=current_trace(),
        id=f"\n{user}\n{path}\n{key}" if key else None,
        digest=_digest_of(request, body) if key else "",
        message=audit.message if audit else None,
    )
    scope[CAUSE] = cause  # before the condition is read: a bad one is refused under this cause's id
    if "if-match" not in headers and "if-none-match" not in headers:
        return body, cause
    condition = condition_in(scope["headers"])
    if not conditional:
        refuse_condition(condition)
    return body, replace(cause, condition=condition)


async def streamed_body(request: Request) -> AsyncIterator[bytes]:
    """The body of a route that ``streams``, piece by piece as it arrives.

    TooLarge as soon as it is over the route's limit, ClientDisconnect when the client goes before its end.
    """
    limit: int = request.scope["route"].streams
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise body_too_large(limit)
        yield piece


def _digest_of(request: Request, body: Mapping[str, Any]) -> str:
    if_match, if_none_match = (header_of(request.scope["headers"], name) for name in (b"if-match", b"if-none-match"))
    return digest_of_request(request.method, body, if_match=if_match, if_none_match=if_none_match)


def query_of(request: Request, parameters: Collection[Parameter] = ()) -> dict[str, Any]:
    """The query's members: each is known, given once, and of its parameter's type. BadInput names the others."""
    if not request.scope["query_string"]:
        return {}
    known = {parameter.name: parameter for parameter in parameters}
    values, errors = dict[str, Any](), list[FieldError]()
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            errors.append(
                FieldError(f"/{name}", f"unknown query parameter; known are {', '.join(sorted(known)) or 'none'}")
            )
        elif times > 1:
            errors.append(FieldError(f"/{name}", "give it once"))
        else:
            try:
                values[name] = known[name].read(request.query_params[name])
            except ValidationError as error:
                errors += [FieldError(f"/{name}", one.detail) for one in field_errors(error)]
    if errors:
        raise BadInput("the query has bad parameters; see errors", errors)
    return values


def checked_ids(keys: Mapping[str, str], others: Mapping[str, TypeAdapter[Any]] = _NO_OTHERS) -> dict[str, str]:
    """The ids of a path, and ``others`` that are of another type. BadInput names the bad ones."""
    errors = []
    for name, value in keys.items():
        try:
            if name in others:
                others[name].validate_python(value)
            else:
                check_id(value)
        except ValidationError as error:
            errors += [FieldError(f"/{name}", found.detail) for found in field_errors(error)]
        except ValueError as error:
            errors.append(FieldError(f"/{name}", str(error)))
    if errors:
        raise BadInput("the path has a bad id", errors, slug="bad-id")
    return dict(keys)


def with_keys(body: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The body with the path's keys as members. BadInput where the body has another key."""
    wrong = [
        FieldError(f"/{name}", f"must equal {value}, as in the path; correct it or leave it out")
        for name, value in keys.items()
        if body.get(name, value) != value
    ]
    if wrong:
        raise BadInput("the body's key is not the path's", wrong, slug="key-mismatch")
    return {**body, **keys}


def version_number(request: Request, name: str = "VersionId") -> int:
    """The version in a path; 0 stands for the latest."""
    text = request.path_params[name]
    if not re.fullmatch("[0-9]{1,10}", text):
        error = FieldError(f"/{name}", "give a whole number of at most ten digits")
        raise BadInput(f"the path has a bad {name}", [error])
    return int(text)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: at most ``limit`` items after ``after`` (None: from the beginning)."""

    limit: int
    after: Any


def page_of(query: Mapping[str, Any], place: type = str, *, limit: int = PAGE) -> Page:
    """The page that ``Limit`` (``limit`` unless given) and ``Cursor`` name; ``place`` is what a cursor holds."""
    return Page(query.get("Limit", limit), _opened(query.get("Cursor"), place))


def _opened(cursor: str | None, place: type) -> Any:
    if cursor is None:
        return None
    try:
        after = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error):
        after = None
    if not isinstance(after, place):
        raise bad_cursor()
    return after


def bad_cursor() -> BadInput:
    """The error for a cursor that is none of this list's."""
    error = FieldError("/Cursor", "give this list's NextCursor as it was answered, or leave it out")
    return BadInput("Cursor leads nowhere", [error])

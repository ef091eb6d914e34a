"""Reads a request: its body, who asks and why, its condition, its query and its page."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from starlette.requests import Request

from shared.cause import Cause, digest_of_request
from shared.clock import Clock
from shared.conditions import refuse_condition
from shared.errors import BadInput, FieldError
from shared.schemas.base import MAX_PAGE, NAME_RULE, CommandBody, check_id, is_name
from shared.schemas.validation import decode_object, validated
from shared.security import author_of
from shared.trace import current_trace
from shared.web.headers import condition_in
from shared.web.responses import CAUSE
from shared.web.routing import BODY, CALLER

PAGE: Final = 100


def read_write(request: Request, clock: Clock, *, conditional: bool = True) -> tuple[dict[str, Any], Cause]:
    """The JSON object of a write, and its cause; an empty body is an empty object.

    The user is ``X-Epic-User``, else ``AuditMetadata.User``, else anonymous. With an ``Idempotency-Key`` the cause has
    an id: ``{user} {METHOD} {path} {key}``, the query being part of the path. BadInput for a condition unless the
    write is ``conditional``: it has a version to compare.
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
        id=f"{user} {request.method} {path} {key}" if key else None,
        digest=digest_of_request(body, headers.get("if-match")) if key else "",
        message=audit.message if audit else None,
    )
    scope[CAUSE] = cause  # before the condition is read: a bad one is refused under this cause's id
    if "if-match" not in headers and "if-none-match" not in headers:
        return body, cause
    condition = condition_in(scope["headers"])
    if not conditional:
        refuse_condition(condition)
    return body, replace(cause, condition=condition)


def query_of(request: Request, known: Collection[str]) -> dict[str, str]:
    """The query's members, each known and given once. BadInput names the others."""
    if not request.scope["query_string"]:
        return {}
    pairs = request.query_params.multi_items()
    values = dict(pairs)
    unknown = [
        FieldError(f"/{name}", f"unknown query parameter; known are {', '.join(sorted(known)) or 'none'}")
        for name in values
        if name not in known
    ]
    if unknown or len(values) != len(pairs):
        twice = [FieldError(f"/{name}", "give it once") for name in values if [n for n, _ in pairs].count(name) > 1]
        raise BadInput("the query has bad parameters; see errors", unknown + twice)
    return values


def checked_ids(keys: Mapping[str, str]) -> dict[str, str]:
    """The ids of a path. BadInput names the bad ones."""
    errors = []
    for name, value in keys.items():
        try:
            check_id(value)
        except ValueError as error:
            errors.append(FieldError(f"/{name}", str(error)))
    if errors:
        raise BadInput("the path has a bad id", errors, slug="bad-id")
    return dict(keys)


def with_keys(body: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """The body with the path's keys as members. BadInput where the body has another key."""
    wrong = [
        FieldError(f"/{name}", f"must equal {value}, as in the path; correct it or leave it out")
        for name, value in keys.items()
        if body.get(name, value) != value
    ]
    if wrong:
        raise BadInput("the body's key is not the path's", wrong, slug="key-mismatch")
    return {**body, **keys}


def version_number(request: Request) -> int:
    """The VersionId of a path; 0 stands for the latest."""
    text = request.path_params["VersionId"]
    if not re.fullmatch("[0-9]{1,10}", text):
        error = FieldError("/VersionId", "give a whole number of at most ten digits")
        raise BadInput("the path has a bad VersionId", [error])
    return int(text)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: at most ``limit`` items after ``after`` (None: from the beginning)."""

    limit: int
    after: Any


def page_of(query: Mapping[str, str], place: type = str) -> Page:
    """The page that ``Limit`` (1 to 1000, 100 unless given) and ``Cursor`` name; ``place`` is what a cursor holds."""
    limit = query.get("Limit", str(PAGE))
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_PAGE:
        raise BadInput("Limit is out of bounds", [FieldError("/Limit", f"give a whole number from 1 to {MAX_PAGE}")])
    return Page(int(limit), _opened(query.get("Cursor"), place))


def _opened(cursor: str | None, place: type) -> Any:
    if cursor is None:
        return None
    try:
        after = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        after = None
    if not isinstance(after, place):
        error = FieldError("/Cursor", "give this list's NextCursor as it was answered, or leave it out")
        raise BadInput("Cursor leads nowhere", [error])
    return after

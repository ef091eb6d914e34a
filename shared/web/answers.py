"""Owns how an answer looks over HTTP: JSON as bytes, an entity tag, and problem+json for every refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

from shared.errors import Refused

__all__ = ["PROBLEM_JSON", "etag", "json_answer", "problem_answer", "problem_of", "refusal_answer"]

PROBLEM_JSON: Final = "application/problem+json"


def etag(version: int, *, base: bool = False) -> str:
    """``"n"`` of a document; ``"base-n"`` of a base line that stands in for one that is not there yet."""
    return f'"base-{version}"' if base else f'"{version}"'


def json_answer(body: Mapping[str, Any], *, tag: str | None = None, status: int = 200) -> Response:
    """The body as JSON bytes; ``tag`` becomes the ETag."""
    headers = {"etag": tag} if tag else None
    return Response(orjson.dumps(body), status, headers, "application/json")


def problem_of(status: int, title: str, detail: str, slug: str) -> dict[str, Any]:
    """The RFC 9457 body of an error that no ``Refused`` stands for."""
    return {"type": f"urn:epic:problem:{slug}", "title": title, "status": status, "detail": detail}


def problem_answer(
    problem: Mapping[str, Any], path: str, *, retry_after: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem about ``path`` (its ``instance``); ``retry_after`` in seconds."""
    sent = dict(headers or {})
    if retry_after is not None:
        sent["retry-after"] = str(retry_after)
    body = orjson.dumps({**problem, "instance": path})
    return Response(body, problem["status"], sent, PROBLEM_JSON)


def refusal_answer(refused: Refused, path: str) -> Response:
    """A refusal as HTTP says it."""
    return problem_answer(refused.problem(), path, retry_after=refused.retry_after)

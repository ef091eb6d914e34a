"""Calls an application in the test's own process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import httpx

from shared.metrics import Metrics
from shared.web import Routes, create_app


def app_of(*routes: Routes, **options: Any) -> Any:
    return create_app("test_svc", routes=list(routes), metrics=Metrics(), **options)


@asynccontextmanager
async def calling(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def version_of(answer: httpx.Response) -> int:
    """The version in an ETag, which is ``"n"`` or ``"n.h"``."""
    found = re.fullmatch(r'"([0-9]+)(\.[0-9a-f]{16})?"', answer.headers["etag"])
    assert found, answer.headers["etag"]
    return int(found[1])


def pointers(answer: httpx.Response) -> Sequence[str]:
    """The bad fields that a problem names."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return [error["pointer"] for error in answer.json().get("errors", [])]


def after_patch(document: Any, patch: Sequence[dict[str, Any]]) -> Any:
    """The document after a JSON Patch (RFC 6902) of the operations that EPIC gives; KeyError where one does not fit."""
    result = deepcopy(document)
    for operation in patch:
        *way, name = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        inner = result
        for part in way:
            inner = inner[int(part) if isinstance(inner, list) else part]
        if operation["op"] != "add":
            del inner[name]
        if operation["op"] != "remove":
            assert name not in inner
            inner[name] = operation["value"]
    return result

"""The OpenAPI documents of the services, as they answer them; nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epic.configuration import load_settings
from epic.runner import builds
from shared.embedded import EmbeddedTransport
from tests.support.clock import FixedClock
from tests.support.http import calling


async def openapi_documents(folder: Path) -> dict[str, dict[str, Any]]:
    """The document of each service."""
    settings, clock = load_settings({}, data_dir=folder), FixedClock("2024-06-15T09:00:00Z")
    documents = {}
    for name, build in builds().items():
        service = await build(settings, EmbeddedTransport(folder), clock)
        async with calling(service.app) as http:
            documents[name] = (await http.get("/openapi.json")).raise_for_status().json()
    return documents


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations of a document by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }

"""The OpenAPI documents of the services and of the gateway, and an EPIC to try out what they promise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epic.configuration import load_settings
from epic.gateway import Gateway
from epic.runner import builds
from shared.embedded import EmbeddedTransport
from tests.support.clock import FixedClock
from tests.support.http import calling
from tests.support.stacks import Embedded

GATEWAY = "gateway"


async def openapi_documents(folder: Path) -> dict[str, dict[str, Any]]:
    """The document of each service, and of the gateway. Nothing is started."""
    settings, clock = load_settings({}, data_dir=folder), FixedClock("2024-06-15T09:00:00Z")
    apps: dict[str, Any] = {
        name: (await build(settings, EmbeddedTransport(folder), clock)).app for name, build in builds().items()
    }
    documents = {}
    for name, app in (apps | {GATEWAY: Gateway(apps)}).items():
        async with calling(app) as http:
            documents[name] = (await http.get("/openapi.json")).raise_for_status().json()
    return documents


@contextmanager
def running_epic(folder: Path, *options: str) -> Iterator[str]:
    """The address of an ``epic up`` with these options beside its own, once it says that it is ready."""
    stack = Embedded(folder)
    replica = stack.replica
    replica.arguments = [*replica.arguments, *options]
    replica.start()
    assert replica.process is not None
    deadline = time.monotonic() + 180
    try:
        while "EPIC is ready" not in replica.log.read_text():
            assert replica.process.poll() is None, replica.tail()
            assert time.monotonic() < deadline, replica.tail()
            time.sleep(0.05)
        yield stack.url("")
    finally:
        if replica.process.poll() is None:
            replica.stop()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations of a document by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }

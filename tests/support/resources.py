"""The declared resources of every service, and requests about them: the golden messages of their commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import httpx
import pytest

from epic.rows import declarations
from shared.cause import Cause
from shared.documents import Change, Document
from shared.documents.sqlite import SqliteStore
from shared.resources import Apart, Declared, Resource
from shared.schemas.resource_contract import ResourceContract
from shared.schemas.topics import TOPICS
from shared.trace import Trace
from tests.support.clock import FixedClock
from tests.support.goldens import golden
from tests.support.http import app_of, calling, version_of

ALL = [resource for resources in declarations().values() for resource in resources]
WRITABLE = [resource for resource in ALL if not resource.read_only]
EACH = pytest.mark.parametrize("resource", WRITABLE, ids=[resource.name for resource in WRITABLE])


def golden_body(command: str) -> dict[str, Any]:
    """The body of a command's golden message."""
    topic = next(topic.name for topic in TOPICS.values() if topic.message(command))
    return golden(topic, command).body()


def body_of(resource: Resource[Any], verb: str) -> dict[str, Any]:
    return golden_body(f"{verb}{resource.name}")


class Described(Protocol):
    """A resource, declared or not, whose documents each have a path."""

    @property
    def contract(self) -> ResourceContract[Any]: ...

    @property
    def item_path(self) -> str: ...

    @property
    def apart(self) -> Apart | None: ...


def key_of(resource: Described, document: dict[str, Any]) -> dict[str, Any]:
    return {member: document[member] for member in resource.contract.key}


def path_of(resource: Described, document: dict[str, Any]) -> str:
    path = resource.item_path
    for member in resource.contract.key:
        path = path.replace(f"{{{member}}}", str(document[member]))
    return path


def among(resource: Described, document: dict[str, Any]) -> dict[str, Any]:
    """A document as it is read among others: without the member that lies apart."""
    return {name: value for name, value in document.items() if not resource.apart or name != resource.apart.member}


def change_of(resource: Resource[Any]) -> dict[str, Any]:
    """The golden command's patch, without the key and the reason."""
    body = body_of(resource, "Update")
    return {name: value for name, value in body.items() if name not in (*resource.contract.key, "AuditMetadata")}


def declared_on(resource: Resource[Any], store: SqliteStore, clock: FixedClock) -> Declared:
    """The resource by itself on a store that is not started. Whatever it names is documents without rules."""
    named = (*resource.references, *([resource.beside.contract] if resource.beside else []))
    others = {contract.name: store.documents(contract.topic) for contract in named}
    return Declared([resource], store, clock, others=others)


@asynccontextmanager
async def calling_resource(
    resource: Resource[Any], declared: Declared, store: SqliteStore, clock: FixedClock
) -> AsyncIterator[httpx.AsyncClient]:
    """Calls its routes, with what its golden messages refer to in the store."""
    await store.start()
    body = body_of(resource, "Create")
    for contract in resource.references:
        if body.keys() >= set(contract.key):
            state = golden_body(f"Create{contract.name}")
            state.pop("AuditMetadata", None)
            cause = Cause(clock.now(), "ann", Trace.begin())
            change = Change(state, ())
            await store.documents(contract.topic).update(contract.key_in(body), partial(_always, change), cause)
    async with calling(app_of(*declared.routes())) as client:
        yield client


def _always(change: Change, present: Document | None) -> Change:
    return change


async def create(resource: Resource[Any], http: httpx.AsyncClient) -> dict[str, Any]:
    """The document of the golden message, made over HTTP."""
    return await create_at(resource.path, body_of(resource, "Create"), http)


async def create_at(path: str, body: dict[str, Any], http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert version_of(answer) == 1
    document: dict[str, Any] = answer.json()
    return document

"""The declared resources of one service: their HTTP routes, their commands and their expiry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.clock import Clock
from shared.documents import Documents, DocumentTypes
from shared.messaging.commands import Command
from shared.resources.among import WritesAmong
from shared.resources.apart import ResourcesApart
from shared.resources.declaration import Resource
from shared.resources.routes import routes_of
from shared.resources.use_cases import Resources, Write
from shared.web import (
    Routes,
)


def _write_of(resource: Resource[Any], documents: Documents, store: DocumentTypes) -> Write | None:
    """How the documents of a resource are written, where that is not just an update."""
    if resource.among is None:
        return None
    contract = resource.contract
    name = f"{contract.topic}.writes"
    among = WritesAmong(resource.among, contract.model, documents, store.leases(), name=name, own=contract.own)
    return among.update


def _resources_of(
    resource: Resource[Any], documents: Documents, others: Mapping[str, Documents], store: DocumentTypes
) -> Resources[Any]:
    if resource.apart is not None:
        return ResourcesApart(resource, documents, others=others, apart=resource.apart, parts=store.parts())
    return Resources(resource, documents, others=others, write=_write_of(resource, documents, store))


class Declared:
    """The declared resources of a service on its store, which must not be started yet.

    ``others``: the documents of resources that are not declared and that declarations name, by name.
    """

    def __init__(
        self,
        declarations: Sequence[Resource[Any]],
        store: DocumentTypes,
        clock: Clock,
        *,
        others: Mapping[str, Documents] | None = None,
    ) -> None:
        self._clock = clock
        documents = {one.name: store.documents(one.contract.topic, filters=one.listing.fields) for one in declarations}
        named = {**(others or {}), **documents}
        self._resources: dict[str, Resources[Any]] = {
            one.name: _resources_of(one, documents[one.name], named, store) for one in declarations
        }

    def __getitem__(self, name: str) -> Resources[Any]:
        return self._resources[name]

    def apart(self, name: str) -> ResourcesApart[Any]:
        """A resource with a member apart."""
        resources = self._resources[name]
        if not isinstance(resources, ResourcesApart):
            raise TypeError(f"{name} has no member apart")
        return resources

    def routes(self, *, instead: Sequence[Routes] = ()) -> list[Routes]:
        """The routes of every resource, without those that ``instead`` has; then those of ``instead``."""
        own = {(one.method, one.path) for routes in instead for one in routes.operations}
        declared = [routes_of(resources, self._clock) for resources in self._resources.values()]
        return [*(routes.without(own) for routes in declared), *instead]

    def commands(self) -> list[Command[Any]]:
        """The commands of every resource, through the use cases that HTTP calls as well."""
        return [command for resources in self._resources.values() for command in resources.commands()]

    async def expire(self) -> None:
        for resources in self._resources.values():
            await resources.expire(self._clock)

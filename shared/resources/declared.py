"""All declared resources of one service on its store: their HTTP routes, their commands and their expiry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.clock import Clock
from shared.documents import Documents, Store
from shared.messaging.commands import Command
from shared.resources.declaration import Resource
from shared.resources.routes import resource_routes
from shared.resources.use_cases import Resources
from shared.web import Routes


class Declared:
    """The declared resources of a service on its store, which must not be started yet.

    ``others``: the documents of resources that are not declared and that declarations reference, by name.
    """

    def __init__(
        self,
        declarations: Sequence[Resource[Any]],
        store: Store,
        clock: Clock,
        *,
        others: Mapping[str, Documents] | None = None,
    ) -> None:
        self._clock = clock
        documents = {one.name: store.documents(one.contract.topic, filters=one.filters) for one in declarations}
        referenced = {**(others or {}), **documents}
        self._resources = {one.name: Resources(one, documents[one.name], referenced=referenced) for one in declarations}

    def __getitem__(self, name: str) -> Resources[Any]:
        return self._resources[name]

    def routes(self) -> list[Routes]:
        """The routes of every resource."""
        return [resource_routes(resources, self._clock) for resources in self._resources.values()]

    def commands(self) -> list[Command[Any]]:
        """The commands of every resource, through the use cases that HTTP calls as well."""
        return [command for resources in self._resources.values() for command in resources.commands()]

    async def expire(self) -> None:
        """Changes the documents that the clock makes expire."""
        for resources in self._resources.values():
            await resources.expire(self._clock)

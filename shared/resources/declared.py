"""All declared resources of one service: found in its package, put on its store, and given to HTTP and commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, TypeVar

from shared.clock import Clock
from shared.documents import Documents, Store
from shared.messaging.commands import Command
from shared.resources.declaration import Resource
from shared.resources.routes import resource_routes
from shared.resources.use_cases import Resources
from shared.web import Routes

P = TypeVar("P")

_EXPIRE_EVERY: Final = 60.0  # seconds; a document that expires a minute late harms nobody


def declarations_in(package: str, path: Sequence[str]) -> tuple[Resource[Any], ...]:
    """The declarations in a package's modules, one module each. A new module is found without being named anywhere."""
    modules = [import_module(f"{package}.{info.name}") for info in iter_modules(path)]
    return tuple(item for module in modules for item in vars(module).values() if isinstance(item, Resource))


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
        documents = {one.name: store.documents(one.topic, filters=one.filters) for one in declarations}
        referenced = {**(others or {}), **documents}
        self._resources = {one.name: Resources(one, documents[one.name], referenced=referenced) for one in declarations}

    def __getitem__(self, name: str) -> Resources[Any]:
        return self._resources[name]

    def routes(self) -> list[Routes]:
        """The routes of every resource."""
        return [resource_routes(resources, self._clock) for resources in self._resources.values()]

    def commands(self) -> list[Command[Any]]:
        """The commands of every resource."""
        return [command for resources in self._resources.values() for command in resource_commands(resources)]

    def periodic(self, every: Callable[[float, str, Callable[[], Awaitable[None]]], P]) -> list[P]:
        """The job that lets documents expire, made by ``every``; none when no declaration has an expiry."""
        if not any(resources.resource.expire for resources in self._resources.values()):
            return []
        return [every(_EXPIRE_EVERY, "expire documents", self.expire)]

    async def expire(self) -> None:
        """Changes the documents that the clock makes expire."""
        for resources in self._resources.values():
            if resources.resource.expire is not None:
                await resources.expire(self._clock)


def resource_commands(resources: Resources[Any]) -> list[Command[Any]]:
    """Create, Update and Delete of a resource, and its actions, through the use cases that HTTP calls as well."""
    resource, contract = resources.resource, resources.resource.contract
    if resource.read_only:
        return []
    return [
        Command(contract.create, resources.create, f"{resource.topic}.create"),
        Command(contract.update, resources.update, f"{resource.topic}.update"),
        Command(contract.delete, resources.delete, f"{resource.topic}.delete"),
        *(
            Command(action.command, partial(resources.act, action), f"{resource.topic}.{action.word}")
            for action in resource.actions
        ),
    ]

"""The HTTP routes of a declared resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.messaging.commands import Command
from shared.resources.handlers import DocumentHandlers
from shared.resources.use_cases import Resources
from shared.schemas.base import CommandBody, Id
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    operation_id_of,
    page_response,
    query_of,
    read_write,
    with_keys,
)


class _Handlers(DocumentHandlers):
    """The same for a declared resource, whose key may have parts with a default, and its lists."""

    def __init__(self, resources: Resources[Any], clock: Clock) -> None:
        super().__init__(resources, clock)
        self.resources = resources
        self.resource = resources.resource
        self.contract = contract = resources.resource.contract
        defaults = contract.key_defaults.items()
        self.key_parameters = [Parameter(member, f"{default} unless given.", of=Id) for member, default in defaults]
        self.listing = resources.resource.listing
        self._key_types = {member: TypeAdapter(kind) for member, kind in contract.key_types.items()}

    def keys(self, request: Request, also: Sequence[Parameter] = ()) -> tuple[dict[str, str], dict[str, Any]]:
        query = query_of(request, (*self.key_parameters, *also))
        values = {**self.contract.key_defaults, **request.path_params, **query}
        return checked_ids({name: values[name] for name in self.contract.key}, self._key_types), query

    def joined(self, keys: Mapping[str, str]) -> str:
        return self.contract.key_in(keys)

    async def create(self, command: Command[Any], request: Request) -> Response:
        body, cause = read_write(request, self.clock)
        if request.scope["query_string"]:
            body = with_keys(body, query_of(request, self.key_parameters))
        return await self.response((await self.resources.create(validated(command.model, body), cause)).document)

    async def list(self, request: Request) -> Response:
        query = query_of(request, self.listing.parameters)
        items, after = await self.listing.page(self.resources.documents, query)
        return page_response(await self.reads.shown(items), after)


def routes_of(resources: Resources[Any], clock: Clock) -> Routes:
    """The routes of a resource: its collection, its documents, their actions, history and versions."""
    resource, do = resources.resource, _Handlers(resources, clock)
    name, one, item, topic = resource.name, resource.contract.one, resource.item_path, resource.contract.topic
    key = do.key_parameters
    description = (resource.contract.model.__doc__ or "").partition("\n")[0]
    routes = Routes(name, description, path_types=resource.contract.key_types)
    add = partial(routes.add, response=resource.contract.read)
    read = partial(add, "GET", action=f"{topic}.read")
    if not resource.read_only:
        contract, commands = resource.contract, {command.model: command for command in resources.commands()}

        def write(method: str, path: str, model: type[CommandBody], summary: str) -> None:
            command, is_new = commands[model], model is contract.create
            add(
                method,
                path,
                partial(do.create if is_new else do.write, command),
                action=command.action,
                operation_id=operation_id_of(model),
                summary=summary,
                body=None if method == "DELETE" else model,
                parameters=() if is_new else key,
            )

        for action in resource.actions:
            write(action.method, f"{item}/{action.word}", action.command, action.summary)
        write("POST", resource.path, contract.create, f"Create {one}")
        restore, summary = commands[contract.restore], f"Make {one} what a former version is"
        path, operation_id = f"{item}/versions/{{VersionId}}/restore", operation_id_of(contract.restore)
        handler = partial(do.restore, restore)
        restored: dict[str, Any] = {"body": contract.restore, "parameters": key, "summary": summary}
        add("POST", path, handler, action=restore.action, operation_id=operation_id, **restored)
        write("PUT", item, contract.update, f"Change {one} by a merge patch (RFC 7396)")
        write("DELETE", item, contract.delete, f"Delete {one}; its history stays")
    plural, parameters = resource.contract.many, do.listing.parameters
    operation_id, summary = f"list{plural}", f"List {plural}"
    read(resource.path, do.list, operation_id=operation_id, summary=summary, many=True, parameters=parameters)
    paths = {item: f"get{name}", **dict.fromkeys(resource.also_latest, f"getLatest{name}")}
    for path, operation_id in reversed(paths.items()):
        summary = f"The latest version of {one}"
        read(path, do.latest, operation_id=operation_id, summary=summary, parameters=key)
    paths = {f"{item}/versions": f"list{name}Versions", **dict.fromkeys(resource.also_history, f"list{name}History")}
    for path, operation_id in paths.items():
        summary, paged = f"Every version of {one}, newest first", [*key, *PAGING]
        read(path, do.history, operation_id=operation_id, summary=summary, many=True, parameters=paged)
    do.add_batch(routes, resource.path, f"{topic}.read", plural, response=resource.contract.read)
    do.add_difference(routes, item, f"{topic}.read", name, one=one, parameters=key)
    path, operation_id, summary = f"{item}/versions/{{VersionId}}", f"get{name}Version", f"One version of {one}"
    read(path, do.version, operation_id=operation_id, summary=summary, parameters=key)
    return routes

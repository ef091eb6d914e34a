"""The HTTP routes of a declared resource."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from shared.cause import UseCase
from shared.clock import Clock
from shared.documents import Document, Written
from shared.errors import BadInput, FieldError
from shared.resources.use_cases import Resources
from shared.schemas.base import CommandBody, WireModel
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    json_response,
    page_of,
    page_response,
    query_of,
    read_write,
    version_number,
    with_keys,
)

M = TypeVar("M", bound=WireModel)


class _Handlers:
    """What the routes of one resource do: validate the request, call the use case, answer."""

    def __init__(self, resources: Resources[Any], clock: Clock) -> None:
        self.resources = resources
        self.resource = resources.resource
        self.contract = resources.resource.contract
        self.clock = clock

    def _keys(self, request: Request, *also: str) -> tuple[dict[str, str], dict[str, str]]:
        """The parts of the key, and the query."""
        query = query_of(request, (*self.contract.key_defaults, *also)) if request.scope["query_string"] else {}
        values = {**self.contract.key_defaults, **request.path_params, **query}
        return checked_ids({name: values[name] for name in self.contract.key}), query

    def _key(self, request: Request) -> str:
        return self.contract.key_in(self._keys(request)[0])

    def _response(self, document: Document) -> Response:
        return json_response(self.resource.view(document), version=document.version)

    async def create(self, request: Request) -> Response:
        write = read_write(request, self.clock)
        body = write.body
        if request.scope["query_string"]:
            body = with_keys(body, query_of(request, self.contract.key_defaults))
        command = validated(self.contract.create, body)
        return self._response((await self.resources.create(command, write.cause)).document)

    async def write(self, model: type[CommandBody], use_case: UseCase[Any, Written], request: Request) -> Response:
        """A write of one document: its command is ``model``."""
        keys, _ = self._keys(request)
        write = read_write(request, self.clock)
        command = validated(model, with_keys(write.body, keys))
        return self._response((await use_case(command, write.cause)).document)

    async def latest(self, request: Request) -> Response:
        return self._response(await self.resources.latest(self._key(request)))

    async def version(self, request: Request) -> Response:
        return self._response(await self.resources.version(self._key(request), version_number(request)))

    async def history(self, request: Request) -> Response:
        keys, query = self._keys(request, "Limit", "Cursor")
        page = page_of(query, int)
        found = await self.resources.history(self.contract.key_in(keys), before=page.after, limit=page.limit)
        return page_response([self.resource.view(item) for item in found.items], found.next_before)

    async def list(self, request: Request) -> Response:
        filters = self.resource.filter_members
        known = (*filters, *(("Sort",) if self.resource.sort else ()), "Limit", "Cursor")
        query = query_of(request, known)
        where = {member: query[name] for name, member in filters.items() if name in query}
        if "Sort" in query:
            return await self._sorted(where, query)
        page = page_of(query, str)
        found = await self.resources.documents.list(where, after=page.after, limit=page.limit)
        return page_response([self.resource.view(item) for item in found.items], found.next_after)

    async def _sorted(self, where: Mapping[str, Any], query: Mapping[str, str]) -> Response:
        member, descending = query["Sort"].removeprefix("-"), query["Sort"].startswith("-")
        if member not in self.resource.sort:
            names = ", ".join(self.resource.sort)
            raise BadInput("the list cannot be sorted so", [FieldError("/Sort", f"give one of {names}, or -Name")])
        page = page_of(query, list)
        items, after = await self.resources.sorted_list(
            where, member, descending=descending, after=page.after, limit=page.limit
        )
        return page_response([self.resource.view(item) for item in items], after)


def resource_routes(resources: Resources[M], clock: Clock) -> Routes:
    """The routes of a resource: its collection, its documents, their actions, history and versions."""
    resource, do = resources.resource, _Handlers(resources, clock)
    name, item, topic = resource.name, resource.item_path, resource.topic
    one = f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
    key = [Parameter(member, f"{default} unless given.") for member, default in resource.contract.key_defaults.items()]
    filters = [Parameter(member, f"Only those with this {member}.") for member in resource.filter_members]
    if resource.sort:
        members = ", ".join(resource.sort)
        filters.append(Parameter("Sort", f"Sorted by this member, or in reverse with - before it: {members}."))
    routes = Routes(name)
    add = partial(routes.add, response=resource.contract.read)
    read = partial(add, "GET", action=f"{topic}.read")
    if not resource.read_only:
        contract, write = resource.contract, partial(add, parameters=key)
        for action in resource.actions:
            path, act = f"{item}/{action.word}", partial(do.write, action.command, partial(resources.act, action))
            write("PUT", path, act, action=f"{topic}.{action.word}", summary=action.summary, body=action.command)
        made, changed = f"Create {one}", f"Change {one} by a merge patch (RFC 7396)"
        update = partial(do.write, contract.update, resources.update)
        delete = partial(do.write, contract.delete, resources.delete)
        write("POST", resource.path, do.create, action=f"{topic}.create", summary=made, body=contract.body)
        write("PUT", item, update, action=f"{topic}.update", summary=changed, body=contract.body)
        write("DELETE", item, delete, action=f"{topic}.delete", summary=f"Delete {one}; its history stays")
    read(resource.path, do.list, summary=f"List {name}s", many=True, parameters=[*filters, *PAGING])
    for path in (*resource.also_latest, item):
        read(path, do.latest, summary=f"The latest version of {one}", parameters=key)
    for path in (f"{item}/versions", *resource.also_history):
        summary = f"Every version of {one}, newest first"
        read(path, do.history, summary=summary, many=True, parameters=[*key, *PAGING])
    read(f"{item}/versions/{{VersionId}}", do.version, summary=f"One version of {one}", parameters=key)
    return routes

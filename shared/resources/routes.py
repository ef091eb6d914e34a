"""Owns the HTTP routes that a declared resource has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.documents.contract import Document, Written
from shared.errors import BadInput, FieldError
from shared.resources.states import only_keys, with_keys
from shared.resources.usecases import Resources
from shared.web import PAGING, Parameter, Routes, cursor_of, etag, json_response, page_of, query_of, read_write

__all__ = ["document_response", "page_response", "resource_routes", "version_number"]


def version_number(request: Request) -> int:
    """The VersionId of a path; 0 stands for the latest."""
    text = request.path_params["VersionId"]
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise BadInput(
            "the path has a bad VersionId", [FieldError("/VersionId", "give a whole number of at most ten digits")]
        )
    return int(text)


class _Handlers:
    """What the routes of one resource do: read the request, call the use case, answer."""

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self.resources = resources
        self.resource = resources.resource
        self.clock = clock

    def _keys(self, request: Request, *also: str) -> tuple[dict[str, str], dict[str, str]]:
        query = query_of(request, (*self.resource.query_key, *also)) if request.scope["query_string"] else {}
        return self.resource.keys_of({**request.path_params, **query}), query

    def _answer(self, document: Document) -> Response:
        return document_response(self.resource.view(document), document)

    async def create(self, request: Request) -> Response:
        query = query_of(request, self.resource.query_key)
        asked = await read_write(request, self.clock)
        return self._written(await self.resources.create(with_keys(asked.body, query), asked.cause))

    async def update(self, request: Request) -> Response:
        keys, _ = self._keys(request)
        asked = await read_write(request, self.clock)
        return self._written(await self.resources.update(keys, asked.body, asked.cause, asked.cause.expected_version))

    async def delete(self, request: Request) -> Response:
        keys, _ = self._keys(request)
        asked = await read_write(request, self.clock)
        only_keys(asked.body, keys)
        return self._written(await self.resources.delete(keys, asked.cause, asked.cause.expected_version))

    def _written(self, written: Written) -> Response:
        return self._answer(written.document)

    async def latest(self, request: Request) -> Response:
        keys, _ = self._keys(request)
        return self._answer(await self.resources.latest(keys))

    async def version(self, request: Request) -> Response:
        keys, _ = self._keys(request)
        return self._answer(await self.resources.version(keys, version_number(request)))

    async def history(self, request: Request) -> Response:
        keys, query = self._keys(request, "Limit", "Cursor")
        page = page_of(query, int)
        found = await self.resources.history(keys, before=page.after, limit=page.limit)
        return page_response([self.resource.view(item) for item in found.items], found.next_before)

    async def list(self, request: Request) -> Response:
        filters = self.resource.filters
        query = query_of(request, (*filters, "Limit", "Cursor"))
        page = page_of(query, str)
        where = {stored: query[name] for name, stored in filters.items() if name in query}
        found = await self.resources.list(where, after=page.after, limit=page.limit)
        return page_response([self.resource.view(item) for item in found.items], found.next_after)


def document_response(view: Mapping[str, Any], document: Document) -> Response:
    """A document with its version as ETag."""
    return json_response(view, tag=etag(document.version))


def page_response(items: list[dict[str, Any]], after: Any) -> Response:
    """One page of a list, and the cursor to the next."""
    return json_response({"Items": items, "NextCursor": cursor_of(after)})


def resource_routes(
    resources: Resources, clock: Clock, *, also_latest: Sequence[str] = (), also_history: Sequence[str] = (),
    read_only: bool = False,
) -> Routes:  # fmt: skip
    """The routes of a resource: its collection, its items, their history and each version.

    ``also_latest`` and ``also_history`` are more paths to the latest and to the history. ``read_only``: what only the
    service itself writes has no writing routes.
    """
    resource, do = resources.resource, _Handlers(resources, clock)
    routes = Routes(resource.name)
    name, item, read = resource.name, resource.item_path, resource.snapshot
    one = f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
    own = [Parameter(member, f"{default} unless given.") for member, default in resource.query_key.items()]
    asked = [Parameter(member, f"Only those with this {member}.") for member in resource.filters]
    if not read_only:
        routes.add(
            "POST",
            resource.path,
            do.create,
            action=f"{resource.topic}.create",
            summary=f"Create {one}",
            body=resource.model,
            response=read,
            parameters=own,
        )
        routes.add(
            "PUT",
            item,
            do.update,
            action=f"{resource.topic}.update",
            summary=f"Change {one} by a merge patch (RFC 7396)",
            body=resource.model,
            response=read,
            parameters=own,
        )
        routes.add(
            "DELETE",
            item,
            do.delete,
            action=f"{resource.topic}.delete",
            summary=f"Delete {one}; its history stays",
            response=read,
            parameters=own,
        )
    routes.add(
        "GET",
        resource.path,
        do.list,
        action=f"{resource.topic}.read",
        summary=f"List {name}s",
        response=read,
        many=True,
        parameters=[*asked, *PAGING],
    )
    for path in also_latest:
        routes.add(
            "GET",
            path,
            do.latest,
            action=f"{resource.topic}.read",
            summary=f"The latest version of {one}",
            response=read,
            parameters=own,
        )
    routes.add(
        "GET",
        item,
        do.latest,
        action=f"{resource.topic}.read",
        summary=f"The latest version of {one}",
        response=read,
        parameters=own,
    )
    for path in (f"{item}/versions", *also_history):
        routes.add(
            "GET",
            path,
            do.history,
            action=f"{resource.topic}.read",
            summary=f"Every version of {one}, newest first",
            response=read,
            many=True,
            parameters=[*own, *PAGING],
        )
    routes.add(
        "GET",
        f"{item}/versions/{{VersionId}}",
        do.version,
        action=f"{resource.topic}.read",
        summary=f"One version of {one}",
        response=read,
        parameters=own,
    )
    return routes

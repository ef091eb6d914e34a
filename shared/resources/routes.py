"""The declared resources of one service: their HTTP routes, their commands and their expiry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import TypeAdapter, WithJsonSchema
from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.documents import Document, Documents, DocumentTypes, Written
from shared.errors import BadInput, FieldError
from shared.messaging.commands import Command
from shared.resources.among import WritesAmong
from shared.resources.apart import ResourcesApart
from shared.resources.declaration import Resource
from shared.resources.differences import difference
from shared.resources.reads import Reads
from shared.resources.use_cases import Resources, Write
from shared.schemas.base import CommandBody, Id, Snapshot, WireModel
from shared.schemas.operation import DocumentKeys, VersionDifference
from shared.schemas.validation import validated
from shared.web import (
    PAGING,
    Parameter,
    Routes,
    checked_ids,
    json_response,
    operation_id_of,
    page_of,
    page_response,
    query_of,
    read_write,
    version_number,
    with_keys,
)


class DocumentHandlers:
    """What the routes of documents do: validate the request, call the use case, answer with the document.

    The key of a document is made of the ids in its path.
    """

    def __init__(self, reads: Reads, clock: Clock) -> None:
        self.reads = reads
        self.clock = clock

    def keys(self, request: Request, also: Sequence[Parameter] = ()) -> tuple[dict[str, str], dict[str, Any]]:
        """The parts of the key in their order, and the query, which may have the members in ``also``."""
        ids = {name: value for name, value in request.path_params.items() if not name.endswith("VersionId")}
        return checked_ids(ids), query_of(request, also)

    def joined(self, keys: Mapping[str, str]) -> str:
        """The key of the document that these parts are of."""
        return "#".join(keys.values())

    def key(self, request: Request) -> str:
        return self.joined(self.keys(request)[0])

    async def response(self, document: Document, asked: str = "") -> Response:
        """The document and its ETag. It stands in for the one with the key ``asked``, where that is another one."""
        if self.reads.needs_others:
            [shown] = await self.reads.shown([document])
        else:
            shown = self.reads.view(document)
        is_other = asked not in ("", document.key)
        return json_response(shown, etag=self.reads.tag(document, shown, base=is_other))

    async def write(self, command: Command[Any], request: Request, **also: Any) -> Response:
        """A write of one document, by the use case that the command on the topic calls as well.

        ``also``: members of the command that the path gives beside the key.
        """
        keys, _ = self.keys(request)
        body, cause = read_write(request, self.clock, conditional=command.conditional)
        written = await command.use_case(validated(command.model, with_keys(body, {**keys, **also})), cause)
        if not isinstance(written, Written):
            raise TypeError(f"{command.name} does not write a document")
        return await self.response(written.document, self.joined(keys))

    async def latest(self, request: Request) -> Response:
        key = self.key(request)
        return await self.response(await self.reads.latest(key), key)

    async def version(self, request: Request) -> Response:
        key = self.key(request)
        return await self.response(await self.reads.version(key, version_number(request)), key)

    async def history(self, request: Request) -> Response:
        keys, query = self.keys(request, PAGING)
        page = page_of(query, int)
        found = await self.reads.history(self.joined(keys), before=page.after, limit=page.limit)
        return page_response(await self.reads.shown(found.items), found.next_before)

    async def difference(self, request: Request) -> Response:
        key, numbers = self.key(request), [version_number(request, name) for name in ("VersionId", "OtherVersionId")]
        a, b = await self.reads.shown([await self.reads.version(key, number) for number in numbers])
        return json_response(difference(a, b))

    def wanted(self, body: Any) -> Mapping[str, str]:
        """The keys that the body of a batch asks for, each with the word that it has there."""
        return {key: key for key in validated(DocumentKeys, body).keys}

    async def batch(self, request: Request) -> Response:
        query_of(request)
        body, _ = read_write(request, self.clock, conditional=False)
        wanted = self.wanted(body)
        found, missing = await self.reads.batch(list(wanted))
        items = await self.reads.shown(found)
        return json_response({"Items": items, "Missing": [wanted[key] for key in missing]})

    def add_batch(
        self,
        routes: Routes,
        path: str,
        action: str,
        plural: str,
        *,
        response: type[Snapshot],
        body: type[WireModel] = DocumentKeys,
    ) -> None:
        """Adds the batch of the collection at ``path``. ``wanted`` reads its ``body``."""
        routes.add(
            "POST",
            f"{path}/batch",
            self.batch,
            action=action,
            operation_id=f"batch{plural}",
            summary=f"The latest versions of many {plural}",
            body=body,
            response=response,
            batch=True,
            shares_path=True,
            conditional=False,
        )

    def add_difference(
        self, routes: Routes, item: str, action: str, name: str, *, one: str, parameters: Sequence[Parameter] = ()
    ) -> None:
        """Adds the comparison of two versions of the document at ``item``."""
        routes.add(
            "GET",
            f"{item}/versions/{{VersionId}}/diff/{{OtherVersionId}}",
            self.difference,
            action=action,
            operation_id=f"diff{name}Versions",
            summary=f"What makes one version of {one} into another",
            response=VersionDifference,
            parameters=parameters,
        )

    async def restore(self, command: Command[Any], request: Request) -> Response:
        """A write that names a version in its path."""
        return await self.write(command, request, VersionId=version_number(request))


class _Handlers(DocumentHandlers):
    """The same for a declared resource, whose key may have parts with a default, and its lists."""

    def __init__(self, resources: Resources[Any], clock: Clock) -> None:
        super().__init__(resources, clock)
        self.resources = resources
        self.resource = resources.resource
        self.contract = contract = resources.resource.contract
        defaults = contract.key_defaults.items()
        self.key_parameters = [Parameter(member, f"{default} unless given.", of=Id) for member, default in defaults]
        self.list_parameters = [
            *(
                Parameter(name, f"Only those with this {name}.", of=contract.type_of(member))
                for name, member in self.resource.filter_members.items()
            ),
            *_sort_parameter(self.resource.sort),
            *PAGING,
        ]
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
        query = query_of(request, self.list_parameters)
        where = {
            member: to_jsonable_python(query[name])
            for name, member in self.resource.filter_members.items()
            if name in query
        }
        if "Sort" in query:
            return await self._sorted(where, query)
        page = page_of(query, str)
        found = await self.resources.documents.list(where, after=page.after, limit=page.limit)
        return page_response(await self.reads.shown(found.items), found.next_after)

    async def _sorted(self, where: Mapping[str, Any], query: Mapping[str, str]) -> Response:
        member, descending = query["Sort"].removeprefix("-"), query["Sort"].startswith("-")
        if member not in self.resource.sort:
            names = ", ".join(self.resource.sort)
            raise BadInput(
                "the list cannot be sorted so",
                [FieldError("/Sort", f"give one of {names}, with - before it for the last first")],
            )
        page = page_of(query, list)
        items, after = await self.resources.sorted_list(
            where, member, descending=descending, after=page.after, limit=page.limit
        )
        return page_response(await self.reads.shown(items), after)


def _sort_parameter(members: Sequence[str]) -> list[Parameter]:
    """The parameter of a list that can be sorted by these members."""
    names = [name for member in members for name in (member, f"-{member}")]
    by_name = Annotated[str, WithJsonSchema({"type": "string", "enum": names})]
    return [Parameter("Sort", "Sorted by this member; in reverse with - before it.", of=by_name)] if members else []


def _routes(resources: Resources[Any], clock: Clock) -> Routes:
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
    plural, parameters = resource.contract.many, do.list_parameters
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
        documents = {one.name: store.documents(one.contract.topic, filters=one.filters) for one in declarations}
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
        declared = [_routes(resources, self._clock) for resources in self._resources.values()]
        return [*(routes.without(own) for routes in declared), *instead]

    def commands(self) -> list[Command[Any]]:
        """The commands of every resource, through the use cases that HTTP calls as well."""
        return [command for resources in self._resources.values() for command in resources.commands()]

    async def expire(self) -> None:
        for resources in self._resources.values():
            await resources.expire(self._clock)

"""What the routes of documents do, whatever the documents are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shared.clock import Clock
from shared.documents import Document, Written
from shared.messaging.commands import Command
from shared.resources.differences import difference
from shared.resources.reads import Reads
from shared.schemas.base import Snapshot, WireModel
from shared.schemas.operation import DocumentKeys, VersionDifference
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

"""Owns the use cases every declared resource has; HTTP and commands both call these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.cause import Cause
from shared.documents.contract import Change, Document, Documents, HistoryPage, ListPage, OutgoingEvent, State, Written
from shared.errors import Conflict, NotFound, Refused
from shared.resources.declaration import Resource

__all__ = ["Admit", "Resources"]

Admit = Callable[[State], Awaitable[Refused | None]]
"""Looks at what a new document refers to, and says why it may not be made."""


async def _admit_all(state: State) -> Refused | None:
    return None


class Resources:
    """The documents of one declared resource, created, changed and read.

    Every write is idempotent by its cause's id: asked again, it answers what it answered first. ``keys`` are the key's
    members by name. Refusals: BadInput 400, NotFound 404, Conflict 409, Stale 412.
    """

    def __init__(self, resource: Resource, documents: Documents, *, admit: Admit = _admit_all) -> None:
        self.resource = resource
        self.documents = documents
        self._admit = admit

    async def create(self, body: Mapping[str, Any], cause: Cause) -> Written:
        """Makes the document; 409 when it is there. One that was deleted goes on counting its versions."""
        resource = self.resource
        key, state = resource.created(body)
        refused = await self._admit(state)

        def made(present: Document | None) -> Change:
            if present is not None:
                raise Conflict(f"{resource.name} {key} is there already; PUT changes it", slug="exists")
            if refused is not None:
                raise refused
            return Change(state, (OutgoingEvent(f"{resource.topic}.created"),))

        return await self.documents.update(key, made, cause)

    async def update(
        self, keys: Mapping[str, str], body: Mapping[str, Any], cause: Cause, expected: int | None = None
    ) -> Written:
        """Merges ``body`` into the latest version; one that changes nothing makes no version."""
        resource = self.resource
        patch = resource.patch_of(keys, body)

        def changed(present: Document | None) -> Change | None:
            if present is None:
                raise NotFound(resource.missing(keys))
            state = resource.updated(present.state, patch)
            if state == present.state:
                return None
            return Change(state, (OutgoingEvent(f"{resource.topic}.updated"),))

        return await self.documents.update(resource.document_key(keys), changed, cause, expected=expected)

    async def delete(self, keys: Mapping[str, str], cause: Cause, expected: int | None = None) -> Written:
        """Makes a tombstone version: the latest is gone, the history stays."""
        resource = self.resource

        def gone(present: Document | None) -> Change:
            if present is None:
                raise NotFound(resource.missing(keys))
            return Change(None, (OutgoingEvent(f"{resource.topic}.deleted"),))

        return await self.documents.update(resource.document_key(keys), gone, cause, expected=expected)

    async def latest(self, keys: Mapping[str, str]) -> Document:
        """The latest version. NotFound when there is none, or it was deleted."""
        document = await self.documents.latest(self.resource.document_key(keys))
        if document is None:
            raise NotFound(self.resource.missing(keys))
        return document

    async def version(self, keys: Mapping[str, str], version: int) -> Document:
        """One version; 0 is the latest."""
        if version == 0:
            return await self.latest(keys)
        document = await self.documents.version(self.resource.document_key(keys), version)
        if document is None:
            raise NotFound(f"{self.resource.missing(keys)} with VersionId {version}")
        return document

    async def history(self, keys: Mapping[str, str], *, before: int | None = None, limit: int = 100) -> HistoryPage:
        """Versions newest first, tombstones included. NotFound when there never was one."""
        page = await self.documents.history(self.resource.document_key(keys), before=before, limit=limit)
        if not page.items and before is None:
            raise NotFound(self.resource.missing(keys))
        return page

    async def list(self, where: Mapping[str, Any], *, after: str | None = None, limit: int = 100) -> ListPage:
        """The latest of all that match, ordered by key."""
        return await self.documents.list(where, after=after, limit=limit)

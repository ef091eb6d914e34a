"""Reads of documents, and how a document is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from shared.conditions import Condition, entity_tag
from shared.documents import MANAGED, Document, Documents, HistoryPage
from shared.errors import NotFound
from shared.resources.declaration import Resource
from shared.schemas.base import WireModel
from shared.schemas.validation import validated

M = TypeVar("M", bound=WireModel)

_NOTHING: Final[Mapping[str, WireModel]] = MappingProxyType({})

View = Callable[[Document], dict[str, Any]]
"""Gives a document as it is read."""


class Reads:
    """Reads the documents of one resource. ``view`` gives a document as it is read.

    ``needs_others``: that takes other documents as well, which ``shown`` reads.
    """

    needs_others = False

    def __init__(self, name: str, documents: Documents, view: View = Document.wire) -> None:
        self._name = name
        self.documents = documents
        self.view = view

    async def shown(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """The documents as they are read."""
        return [self.view(document) for document in documents]

    def tag(self, document: Document, shown: Mapping[str, Any] | None = None, *, base: bool = False) -> str:
        """The ETag of a document that is read as ``shown``; its hash is of the members that the version does not hold.

        ``base``: the document is a base line that stands in for an event's line.
        """
        body = self.view(document) if shown is None else shown
        outside = body.keys() - document.state.keys() - MANAGED
        return entity_tag(document.version, {name: body[name] for name in outside}, base=base)

    def check_condition(
        self, condition: Condition | None, present: Document | None, *, base: bool = False, view: View | None = None
    ) -> None:
        """Stale unless the condition of a write holds for the present document; None: there is none.

        The function that decides the write calls it, so that it holds at the write itself. ``base`` as in ``tag``;
        ``view`` in place of the reads' own.
        """
        if condition is None:
            return
        if present is None:
            condition.check(None)
        elif condition.if_none_match is not None or condition.is_stale(entity_tag(present.version, base=base)):
            # If-Match judges the version alone; a refusal names the whole tag, which takes a view of the document.
            condition.check(self.tag(present, (view or self.view)(present), base=base))

    def missing(self, key: str, what: str = "") -> NotFound:
        """The error for a document that does not exist."""
        return NotFound(f"there is no {self._name} {key.replace('#', ', ')}{what}")

    async def latest(self, key: str) -> Document:
        """The latest version. NotFound when there is none, or it was deleted."""
        document = await self.documents.latest(key)
        if document is None:
            raise self.missing(key)
        return document

    async def version(self, key: str, version: int) -> Document:
        """One version; 0 is the latest."""
        if version == 0:
            return await self.latest(key)
        document = await self.documents.version(key, version)
        if document is None:
            raise self.missing(key, f" with VersionId {version}")
        return document

    async def batch(self, keys: Sequence[str]) -> tuple[list[Document], list[str]]:
        """The latest versions of these in one read, and the keys of which there is none, both in the order given."""
        wanted = list(dict.fromkeys(keys))
        found = await self.documents.latest_many(wanted)
        return [found[key] for key in wanted if key in found], [key for key in wanted if key not in found]

    async def history(self, key: str, *, before: int | None = None, limit: int = 100) -> HistoryPage:
        """Versions newest first, tombstones included. NotFound when there never was one."""
        page = await self.documents.history(key, before=before, limit=limit)
        if not page.items and before is None:
            raise self.missing(key)
        return page


class ResourceReads(Reads, Generic[M]):
    """Reads the documents of one declared resource, with what is computed and what stands beside them.

    ``others`` are the documents of the resources that are shown beside its own, by name.
    """

    def __init__(self, resource: Resource[M], documents: Documents, others: Mapping[str, Documents]) -> None:
        super().__init__(resource.name, documents, self._view)
        self.resource = resource
        self.needs_others = resource.beside is not None
        self._others = others

    def missing(self, key: str, what: str = "") -> NotFound:
        return super().missing(key.removeprefix(self.resource.contract.key_prefix), what)

    def model_of(self, document: Document) -> M:
        """The document as its contract's model."""
        return validated(self.resource.contract.model, self.resource.contract.own(document.state))

    async def shown(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """The documents as they are read; what stands beside them is read at once."""
        if not self.needs_others:
            return [self._view(document) for document in documents]
        beside = await self._beside([document.key for document in documents if _is_latest(document)])
        return [self._view(document, beside) for document in documents]

    async def view_of(self, key: str, condition: Condition | None) -> View:
        """How a condition sees the document with this key. What stands beside it is read before the write."""
        if not self.needs_others or condition is None:
            return self.view
        beside = await self._beside([key])
        return lambda document: self._view(document, beside)

    async def _beside(self, keys: Sequence[str]) -> dict[str, WireModel]:
        """What stands beside the documents with these keys, by these keys, in one read."""
        if self.resource.beside is None or not keys:
            return {}
        own, contract = self.resource.contract, self.resource.beside.contract
        parts = {key: dict(zip(own.key, key.split("#"), strict=True)) for key in keys}
        others = {key: contract.key_in({**contract.key_defaults, **part}) for key, part in parts.items()}
        found = await self._others[contract.name].latest_many(list(dict.fromkeys(others.values())))
        models = {key: validated(contract.model, contract.own(document.state)) for key, document in found.items()}
        return {key: models[other] for key, other in others.items() if other in models}

    def _view(self, document: Document, beside: Mapping[str, WireModel] = _NOTHING) -> dict[str, Any]:
        """The document with its computed members, and those of what stands beside it."""
        shown, resource = document.wire(), self.resource
        if document.deleted or (resource.computed is None and resource.beside is None):
            return shown
        contract = resource.contract
        own = document.state if contract.joined_key is None else contract.own(document.state)
        model = validated(contract.model, own)
        if resource.computed is not None:
            for name, value in resource.computed(model).items():
                shown.setdefault(name, value)
        if resource.beside is not None and _is_latest(document):
            shown |= resource.beside.show(model, beside.get(document.key))
        return shown


def _is_latest(document: Document) -> bool:
    """Whether it is the latest version, which alone has what stands outside the versions."""
    return document.created is not None and not document.deleted

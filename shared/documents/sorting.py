"""How a sorted list is read: as a few stretches of an index, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from shared.documents.contract import Document, Place, SortedPage


class Stretch(NamedTuple):
    """The documents whose field has a value (None: it is absent), ``after`` a key where one is given.

    ``beyond``: in place of those, the ones whose field comes after that value. Absent is before every value.
    """

    value: Any
    after: str | None = None
    beyond: bool = False


async def sorted_page(
    read: Callable[[Stretch | None, int], Awaitable[list[Document]]],
    field: str,
    after: Place | None,
    limit: int,
    *,
    descending: bool,
) -> SortedPage:
    """A page of the documents that ``read`` gives, in order, of a stretch (None: of all)."""
    found: list[Document] = []
    for stretch in _stretches(after, descending=descending):
        if len(found) <= limit:
            found += await read(stretch, limit + 1 - len(found))
    page = found[:limit]
    return SortedPage(page, Place(_value(page[-1], field), page[-1].key) if len(found) > limit else None)


def _stretches(after: Place | None, *, descending: bool) -> list[Stretch | None]:
    if after is None:
        return [None]
    same = Stretch(after.value, after.key)
    if not descending:
        return [same, Stretch(after.value, beyond=True)]
    return [same] if after.value is None else [same, Stretch(after.value, beyond=True), Stretch(None)]


def _value(document: Document, field: str) -> Any:
    value: Any = document.state
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value

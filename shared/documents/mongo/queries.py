"""Owns queries by declared fields in MongoDB: equality, ordered by key, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.filters import Filters
from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire

__all__ = ["page_of", "pages_of", "query_of"]


def query_of(filters: Filters, where: Mapping[str, Any] | None, prefix: str, after: str | None = None) -> Wire:
    """The query for equality in the fields of ``where``, which lie under ``prefix``."""
    query: Wire = {prefix + field: value for field, value in filters.wanted(where).items()}
    if after is not None:
        query["_id"] = {"$gt": after}
    return query


async def page_of(
    collection: AsyncIOMotorCollection[Wire], query: Wire, projection: Mapping[str, Any] | None, limit: int
) -> list[Wire]:
    """The first so many by key, in one answer of the server's."""
    with away():
        return await collection.find(query, projection, sort=[("_id", 1)], limit=limit, batch_size=limit + 1).to_list(
            None
        )


async def pages_of(
    collection: AsyncIOMotorCollection[Wire], query: Wire, projection: Mapping[str, Any] | None, page: int
) -> AsyncIterator[list[Wire]]:
    """All of them by key, from one cursor."""
    cursor = collection.find(query, projection, sort=[("_id", 1)], batch_size=page)
    try:
        while True:
            with away():
                forms = await cursor.to_list(page)
            if not forms:
                return
            yield forms
    finally:
        await cursor.close()

"""Owns where a service with a MongoDB store keeps its dead letters."""

from __future__ import annotations

import builtins

import orjson
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.mongo.faults import away
from shared.documents.mongo.forms import Wire
from shared.documents.mongo.queries import page_of
from shared.schemas.results import DeadLetter

__all__ = ["MongoDeadLetters"]


class MongoDeadLetters:
    """One letter for an id; putting one with the id of another takes its place."""

    def __init__(self, collection: AsyncIOMotorCollection[Wire]) -> None:
        self._collection = collection

    async def put(self, letter: DeadLetter) -> None:
        """Keeps it, in place of one with the same id."""
        form = {"_id": letter.id, "Letter": orjson.dumps(letter.wire())}
        with away():
            await self._collection.replace_one({"_id": letter.id}, form, upsert=True)

    async def get(self, letter_id: str) -> DeadLetter | None:
        with away():
            form = await self._collection.find_one({"_id": letter_id})
        return None if form is None else DeadLetter.model_validate_json(form["Letter"])

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        """In the order of their ids, those after ``after``."""
        query: Wire = {} if after is None else {"_id": {"$gt": after}}
        forms = await page_of(self._collection, query, None, limit)
        return [DeadLetter.model_validate_json(form["Letter"]) for form in forms]

    async def delete(self, letter_id: str) -> bool:
        """Whether it was there."""
        with away():
            return (await self._collection.delete_one({"_id": letter_id})).deleted_count == 1

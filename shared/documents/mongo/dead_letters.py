"""The dead letters of a service with a MongoDB store."""

from __future__ import annotations

import builtins

import orjson
from motor.motor_asyncio import AsyncIOMotorCollection

from shared.documents.mongo.codec import Form
from shared.documents.mongo.errors import away
from shared.documents.mongo.reads import page_of
from shared.schemas.results import DeadLetter


class MongoDeadLetters:
    """See ``DeadLetterStore``."""

    def __init__(self, collection: AsyncIOMotorCollection[Form]) -> None:
        self._collection = collection

    async def put(self, letter: DeadLetter) -> None:
        form = {"_id": letter.id, "Letter": orjson.dumps(letter.wire())}
        with away():
            await self._collection.replace_one({"_id": letter.id}, form, upsert=True)

    async def get(self, letter_id: str) -> DeadLetter | None:
        with away():
            form = await self._collection.find_one({"_id": letter_id})
        return None if form is None else DeadLetter.model_validate_json(form["Letter"])

    async def list(self, after: str | None = None, limit: int = 100) -> builtins.list[DeadLetter]:
        query: Form = {} if after is None else {"_id": {"$gt": after}}
        forms = await page_of(self._collection, query, None, limit)
        return [DeadLetter.model_validate_json(form["Letter"]) for form in forms]

    async def delete(self, letter_id: str) -> bool:
        with away():
            return (await self._collection.delete_one({"_id": letter_id})).deleted_count == 1

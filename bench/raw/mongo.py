"""The floors' connection to MongoDB: motor, as durable as EPIC's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

Wire = dict[str, Any]


@asynccontextmanager
async def connected(url: str, database: str) -> AsyncIterator[AsyncIOMotorDatabase[Wire]]:
    """A database whose writes are answered when a majority has them in its journal."""
    client: AsyncIOMotorClient[Wire] = AsyncIOMotorClient(
        url, tz_aware=True, w="majority", journal=True, readConcernLevel="majority", maxPoolSize=64
    )
    try:
        yield client[database]
    finally:
        client.close()

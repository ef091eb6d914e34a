"""The store of a service's documents: MongoDB where one is configured, else a file of the data folder."""

from __future__ import annotations

from shared.documents.contract import Publish, Store
from shared.documents.sqlite import SqliteStore
from shared.settings import Settings


def open_store(settings: Settings, service: str, publish: Publish) -> Store:
    """The store of ``fleet_svc`` is the database ``fleet``, or ``fleet.db``; nothing is opened before its ``start``."""
    name = service.removesuffix("_svc")
    if settings.mongo_url is None:
        return SqliteStore(settings.data_dir / f"{name}.db", publish, source=service)
    from shared.documents.mongo import MongoStore

    return MongoStore(settings.mongo_url, name, publish, source=service)

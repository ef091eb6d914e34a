"""Versioned documents on MongoDB; no other package of the kit uses motor."""

from shared.documents.mongo.store import MongoStore

__all__ = ["MongoStore"]

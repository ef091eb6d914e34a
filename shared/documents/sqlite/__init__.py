"""Owns versioned documents in one SQLite file a service."""

from shared.documents.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]

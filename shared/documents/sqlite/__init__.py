"""Versioned documents in one SQLite file for each service."""

from shared.documents.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]

"""Owns versioned documents on MongoDB; motor is known here and nowhere else."""

from shared.documents.mongo.store import MongoStore

__all__ = ["MongoStore"]

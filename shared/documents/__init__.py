"""Owns versioned documents: one contract, on MongoDB and on SQLite, alike in everything a caller sees."""

from __future__ import annotations

from shared.documents.answers import Answer
from shared.documents.contract import (
    AmendFn,
    Change,
    Document,
    Documents,
    Emission,
    HistoryPage,
    ListPage,
    OutboxState,
    Publish,
    Replica,
    State,
    Store,
    UpdateFn,
    Written,
)
from shared.documents.opening import open_store

__all__ = [
    "AmendFn",
    "Answer",
    "Change",
    "Document",
    "Documents",
    "Emission",
    "HistoryPage",
    "ListPage",
    "OutboxState",
    "Publish",
    "Replica",
    "State",
    "Store",
    "UpdateFn",
    "Written",
    "open_store",
]

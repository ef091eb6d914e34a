"""Versioned documents: one contract, on MongoDB and on SQLite, alike in everything a caller sees."""

from __future__ import annotations

from shared.documents.contract import (
    AmendFn,
    Change,
    Document,
    Documents,
    HistoryPage,
    ListPage,
    OutboxState,
    OutgoingEvent,
    Publish,
    ReadModel,
    State,
    Store,
    UpdateFn,
    Written,
)
from shared.documents.opening import open_store
from shared.durability.idempotency import IdempotencyRecord

__all__ = [
    "AmendFn",
    "Change",
    "Document",
    "Documents",
    "HistoryPage",
    "IdempotencyRecord",
    "ListPage",
    "OutboxState",
    "OutgoingEvent",
    "Publish",
    "ReadModel",
    "State",
    "Store",
    "UpdateFn",
    "Written",
    "open_store",
]

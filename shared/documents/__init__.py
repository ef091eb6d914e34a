"""Versioned documents: one contract, on MongoDB and on SQLite, alike in everything a caller sees."""

from shared.documents.contract import (
    MANAGED,
    Change,
    Document,
    Documents,
    DocumentTypes,
    HistoryPage,
    ListPage,
    Place,
    SortedPage,
    Store,
    Written,
)
from shared.durability.outbox import OutgoingEvent
from shared.durability.read_model import ReadModel, State

__all__ = [
    "MANAGED",
    "Change",
    "Document",
    "DocumentTypes",
    "Documents",
    "HistoryPage",
    "ListPage",
    "OutgoingEvent",
    "Place",
    "ReadModel",
    "SortedPage",
    "State",
    "Store",
    "Written",
]

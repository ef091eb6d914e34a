"""The idempotency records of a SQLite store, each written in the transaction whose outcome it is."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from shared.cause import Cause
from shared.documents.versions import StoredOutcome, record_ids
from shared.durability.idempotency import retention_of

_FIND: Final = "SELECT outcome FROM idempotency_records WHERE id IN (?, ?, ?, ?) AND expires_at > ?"
_KEEP: Final = """INSERT INTO idempotency_records (id, outcome, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, expires_at = excluded.expires_at
    WHERE idempotency_records.expires_at <= ?"""


def find(connection: sqlite3.Connection, cause: Cause, resource: str = "", key: str = "") -> StoredOutcome | None:
    """The first outcome of this cause for this document, or its refusal before it came to one (rule 3.39).

    Conflict ``id-reused`` when its body was another.
    """
    found: StoredOutcome | None = None
    if cause.id is None:
        return None
    ids = (*record_ids(cause.id, resource, key), *record_ids(cause.id, "", ""))
    for (data,) in connection.execute(_FIND, (*ids, int(time.time() * 1000))):
        outcome = StoredOutcome.decode(data)
        cause.check_digest(outcome.digest)
        if (outcome.resource, outcome.key) == (resource, key):
            return outcome
        if not outcome.resource:
            found = outcome
    return found


def keep(connection: sqlite3.Connection, outcome: StoredOutcome) -> None:
    """Stores it under the cause's own id or, where another document has that, under one of its own."""
    now = int(time.time() * 1000)
    expires_at = now + int(retention_of(outcome.cause_id).total_seconds() * 1000)
    for record_id in record_ids(outcome.cause_id, outcome.resource, outcome.key):
        if connection.execute(_KEEP, (record_id, outcome.encode(), expires_at, now)).rowcount:
            return


def store_first(connection: sqlite3.Connection, cause: Cause, outcome: StoredOutcome) -> StoredOutcome:
    """Stores the outcome of a request that is no document update, and returns the one that was first."""
    first = find(connection, cause)
    if first is None:
        keep(connection, outcome)
    return first or outcome


def delete_expired(connection: sqlite3.Connection, limit: int = 5000) -> int:
    """Deletes records whose time is over, so many that the writer is not held up for long; how many they were."""
    expired = "SELECT id FROM idempotency_records WHERE expires_at <= ? LIMIT ?"
    drop = f"DELETE FROM idempotency_records WHERE id IN ({expired})"  # noqa: S608 - no value is in it
    return connection.execute(drop, (int(time.time() * 1000), limit)).rowcount

"""Owns the answers SQLite keeps, written in the transaction they answer for."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import orjson

from shared.cause import Cause
from shared.documents.versions import Decision, Outcome, record_ids
from shared.durability.idempotency import IdempotencyRecord, retention_of
from shared.errors import refusal_of

__all__ = ["Kept", "find", "find_record", "keep", "keep_record", "purge"]

Kept = tuple[Outcome, int, dict[str, Any] | None, dict[str, Any] | None]
"""Outcome, version, problem and body."""

_FIND = (
    "SELECT digest, resource, key, outcome, version, problem, body FROM answers WHERE name IN (?, ?) AND expires > ?"
)
_KEEP = """INSERT INTO answers (name, digest, resource, key, outcome, version, problem, body, expires)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, resource = excluded.resource, key = excluded.key,
    outcome = excluded.outcome, version = excluded.version, problem = excluded.problem, body = excluded.body,
    expires = excluded.expires WHERE answers.expires <= ?"""


def find(connection: sqlite3.Connection, resource: str, key: str, cause: Cause) -> Kept | None:
    """The first answer of this cause about this document. Conflict ``id-reused`` when its body was another."""
    if cause.id is None:
        return None
    kept: Kept | None = None
    names = record_ids(cause.id, resource, key)
    for digest, its_resource, its_key, outcome, version, problem, body in connection.execute(_FIND, (*names, _now())):
        cause.check_digest(digest)
        if (its_resource, its_key) == (resource, key):
            kept = (Outcome(outcome), version, _json(problem), _json(body))
    return kept


def keep(connection: sqlite3.Connection, resource: str, key: str, cause: Cause, decision: Decision) -> None:
    """Keeps what was decided, under the cause's own name or, where another document has that, under one of its own."""
    refusal = decision.refusal
    version = decision.item.version if decision.item else 0
    _keep(connection, resource, key, cause, (decision.outcome, version, refusal.problem() if refusal else None, None))


def find_record(connection: sqlite3.Connection, cause: Cause) -> IdempotencyRecord | None:
    kept = find(connection, "", "", cause)
    if kept is None:
        return None
    _, _, problem, body = kept
    return IdempotencyRecord(body, None if problem is None else refusal_of(problem))


def keep_record(connection: sqlite3.Connection, cause: Cause, answer: IdempotencyRecord) -> IdempotencyRecord:
    """Keeps the answer of a write that is no document update; of several the first, which is returned."""
    before = find_record(connection, cause)
    if before is not None:
        return before
    problem = answer.refusal.problem() if answer.refusal else None
    _keep(connection, "", "", cause, (Outcome.REFUSED if problem else Outcome.SAME, 0, problem, answer.body))
    return answer


def purge(connection: sqlite3.Connection, limit: int = 5000) -> int:
    """Drops answers whose time is over; how many went."""
    old = "DELETE FROM answers WHERE name IN (SELECT name FROM answers WHERE expires <= ? LIMIT ?)"
    return connection.execute(old, (_now(), limit)).rowcount


def _keep(connection: sqlite3.Connection, resource: str, key: str, cause: Cause, kept: Kept) -> None:
    if cause.id is None:
        return
    now = _now()
    expires = now + int(retention_of(cause.id).total_seconds() * 1000)
    outcome, version, problem, body = kept
    for name in record_ids(cause.id, resource, key):
        values = (name, cause.digest, resource, key, outcome.value, version, _text(problem), _text(body), expires, now)
        if connection.execute(_KEEP, values).rowcount:
            return


def _now() -> int:
    return int(time.time() * 1000)


def _json(text: bytes | None) -> dict[str, Any] | None:
    return None if text is None else orjson.loads(text)


def _text(value: dict[str, Any] | None) -> bytes | None:
    return None if value is None else orjson.dumps(value)

"""The transactions that write one resource type in SQLite: head, old version, events and idempotency record, or none.

Every method runs within the writer's transaction, on its connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

import orjson

from shared.cause import Cause
from shared.clock import iso
from shared.documents.contract import Change, Document, Written
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.outbox import CreatedTogether, SqliteOutbox
from shared.documents.sqlite.tables import DocumentStatements, decode, encode
from shared.documents.versions import Decide, Decision, Outcome, StoredOutcome, first_version, snapshot_of, updated
from shared.durability.outbox import OutgoingEvent
from shared.durability.read_model import State

_ROWS_PER_STATEMENT: Final = 250
"""After each statement this thread waits until another lets go of the interpreter, so few statements are faster."""

_INSTANT: Final = """INSERT INTO last_instant (id, instant) VALUES (1, ?)
    ON CONFLICT (id) DO UPDATE SET instant = excluded.instant WHERE excluded.instant > instant"""


@dataclass(frozen=True, slots=True)
class DocumentWrites:
    """The writes of one resource type."""

    sql: DocumentStatements
    schema_version: int
    outbox: SqliteOutbox

    def write(self, connection: sqlite3.Connection, key: str, cause: Cause, decide: Decide) -> Decision | Written:
        """What was decided on the head and stored; or the first outcome of the same cause again."""
        row = connection.execute(self.sql.head, (key,)).fetchone()
        head = None if row is None else decode(row)
        if cause.id is not None:
            first = idempotency.find(connection, cause, cause.id, self.sql.name, key)
            if first is not None:
                return first.result(self._version(connection, head, first.version))
        decision = decide(head)
        if decision.document is not None and decision.outcome in (Outcome.VERSION, Outcome.AMENDED):
            self._store(connection, decision.document, decision, cause)
        if cause.id is not None and decision.must_be_stored(cause):
            idempotency.keep(connection, StoredOutcome.of_decision(decision, cause, self.sql.name, key))
        return decision

    def create(
        self, connection: sqlite3.Connection, states: Mapping[str, State], event_type: str, cause: Cause
    ) -> list[str]:
        """Creates the documents that do not exist, and anew those that were deleted; the keys created."""
        keys = orjson.dumps(list(states)).decode()
        existing: dict[str, int] = dict(connection.execute(self.sql.existing, (keys,)).fetchall())
        new = {key: state for key, state in states.items() if key not in existing}
        if new:
            common = first_version("", {}, cause, self.schema_version)
            created = CreatedTogether(new, snapshot_of(common))
            _, version, _, *managed = encode(common)
            rows = [(key, orjson.dumps(state).decode()) for key, state in new.items()]
            for first in range(0, len(rows), _ROWS_PER_STATEMENT):
                some = rows[first : first + _ROWS_PER_STATEMENT]
                connection.execute(self.sql.create(len(some)), (version, *managed, *chain.from_iterable(some)))
            connection.execute(_INSTANT, (iso(cause.now),))
            self.outbox.add_created(connection, self.sql.name, created, event_type, cause)
        deleted = [key for key, is_deleted in existing.items() if is_deleted]
        for key in deleted:
            self._create_again(connection, key, Change(states[key], (OutgoingEvent(event_type),)), cause)
        return [*new, *deleted]

    def _create_again(self, connection: sqlite3.Connection, key: str, change: Change, cause: Cause) -> None:
        head = decode(connection.execute(self.sql.head, (key,)).fetchone())
        decision = updated(head, key, lambda _: change, cause, None, self.schema_version)
        self._store(connection, decision.result().document, decision, cause)

    def _store(self, connection: sqlite3.Connection, document: Document, decision: Decision, cause: Cause) -> None:
        row = encode(document)
        if decision.outcome is Outcome.AMENDED:
            connection.execute(self.sql.amend, (row[-1], document.key))
        else:
            if document.version > 1:
                connection.execute(self.sql.keep_version, (document.key,))
            connection.execute(self.sql.write, row)
        connection.execute(_INSTANT, (iso(cause.now),))
        if decision.events:
            self.outbox.add(connection, self.sql.name, document.key, document.version, decision.events, cause)

    def _version(self, connection: sqlite3.Connection, head: Document | None, version: int) -> Document | None:
        if head is None or head.version == version:
            return head
        row = connection.execute(self.sql.version, (head.key, version)).fetchone()
        return None if row is None else decode(row)._replace(side=head.side)

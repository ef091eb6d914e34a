"""Owns the transactions that write one resource type in SQLite: head, old version, events and answer, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

import orjson

from shared.cause import Cause
from shared.documents.contract import Change, OutgoingEvent, State, Written
from shared.documents.sqlite import idempotency
from shared.documents.sqlite.created import Created
from shared.documents.sqlite.outbox import Outbox
from shared.documents.sqlite.rows import decode_head, decode_item, encode_item, milliseconds
from shared.documents.sqlite.statements import DocumentStatements
from shared.documents.versions import (
    Decide,
    Decision,
    Head,
    Item,
    Outcome,
    shown,
    updated,
)
from shared.errors import refusal_of

__all__ = ["Writing"]

_TOGETHER: Final = 250
_INSTANT: Final = """INSERT INTO meta (name, value, number) VALUES ('instant', '', ?)
    ON CONFLICT (name) DO UPDATE SET number = excluded.number WHERE excluded.number > number"""


@dataclass(frozen=True, slots=True)
class Writing:
    """Every method runs within the writer's transaction, on its connection."""

    sql: DocumentStatements
    schema_version: int
    outbox: Outbox

    def write(self, connection: sqlite3.Connection, key: str, cause: Cause, decide: Decide) -> Decision | Written:
        """What was decided on the head and written; or the first answer of the same cause, told again."""
        head = self._head(connection, key)
        kept = idempotency.find(connection, self.sql.name, key, cause)
        if kept is not None:
            return self._replayed(connection, kept, key, head)
        decision = decide(head)
        if decision.leaves_a_trace(cause):
            self._store(connection, key, head, decision, cause)
            idempotency.keep(connection, self.sql.name, key, cause, decision)
        return decision

    def create(
        self, connection: sqlite3.Connection, states: Mapping[str, State], event_type: str, cause: Cause
    ) -> list[str]:
        """Makes what is not there, and anew what is a tombstone; the keys made."""
        names = orjson.dumps(list(states)).decode()
        there: dict[str, int] = dict(connection.execute(self.sql.there, (names,)).fetchall())
        new = {key: state for key, state in states.items() if key not in there}
        if new:
            created = Created.by(cause, new, self.schema_version)
            self._insert(connection, created)
            connection.execute(_INSTANT, (milliseconds(cause.now),))
            self.outbox.add_many(connection, self.sql.name, created, event_type, cause)
        gone = [key for key, deleted in there.items() if deleted]
        for key in gone:
            self._remake(connection, key, Change(states[key], (OutgoingEvent(event_type),)), cause)
        return [*new, *gone]

    def _insert(self, connection: sqlite3.Connection, created: Created) -> None:
        """Many rows a statement: after each, this thread waits until whoever has the interpreter lets go of it."""
        shared, own = created.shared(), created.own()
        for first in range(0, len(own), _TOGETHER):
            rows = own[first : first + _TOGETHER]
            connection.execute(self.sql.create(len(rows)), (*shared, *chain.from_iterable(rows)))

    def _remake(self, connection: sqlite3.Connection, key: str, change: Change, cause: Cause) -> None:
        head = self._head(connection, key)
        decision = updated(head, key, lambda _: change, cause, None, self.schema_version)
        if decision.refusal is not None:
            raise decision.refusal
        self._store(connection, key, head, decision, cause)

    def _head(self, connection: sqlite3.Connection, key: str) -> Head | None:
        row = connection.execute(self.sql.head, (key,)).fetchone()
        return None if row is None else decode_head(row)

    def _store(
        self, connection: sqlite3.Connection, key: str, head: Head | None, decision: Decision, cause: Cause
    ) -> None:
        item = decision.item
        if item is None or decision.outcome in (Outcome.SAME, Outcome.REFUSED):
            return
        side = orjson.dumps(decision.side).decode()
        if decision.outcome is Outcome.AMENDED:
            connection.execute(self.sql.amend, (side, key))
        else:
            self._overwrite(connection, key, head, item, side)
        connection.execute(_INSTANT, (milliseconds(cause.now),))
        if decision.events:
            self.outbox.check_room(connection, self.sql.name, key)
        self.outbox.add(connection, self.sql.name, [(key, item.version, event) for event in decision.events], cause)

    def _overwrite(self, connection: sqlite3.Connection, key: str, head: Head | None, item: Item, side: str) -> None:
        if head is not None:
            connection.execute(self.sql.keep_version, (key,))
        connection.execute(self.sql.write, (*encode_item(key, item), side))

    def _replayed(self, connection: sqlite3.Connection, kept: idempotency.Kept, key: str, head: Head | None) -> Written:
        outcome, version, problem, _ = kept
        if problem is not None:
            raise refusal_of(problem)
        if head is None:
            raise ValueError(f"{self.sql.name} {key} was written and is not there")
        item = head.item
        if item.version != version:
            item = decode_item(connection.execute(self.sql.version, (key, version)).fetchone())
        return Written(shown(key, item, head.side), outcome is not Outcome.SAME, replayed=True)

"""How a write is decided, without any store."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cause import Cause
from shared.clock import iso
from shared.documents import Change, Document, OutgoingEvent
from shared.documents.mongo.heads import OpenWrite
from shared.documents.versions import (
    Outcome,
    StoredOutcome,
    amended,
    first_version,
    record_ids,
    updated,
)
from shared.durability.idempotency import retention_of
from shared.errors import Conflict, NotFound, Refused, Stale
from shared.trace import Trace

NOW = datetime(2024, 6, 15, 9, 0, 0, 123456, tzinfo=UTC)
CAUSE = Cause(NOW, "ann", Trace("correlation"), "c1", "digest", "why")


def change(state: dict | None) -> Change:
    return Change(state, (OutgoingEvent("thing.updated"),))


def test_the_first_version_is_created_by_its_cause() -> None:
    decision = updated(None, "F1", lambda _: change({"A": 1}), CAUSE, None, 1)
    item = decision.document
    assert decision.outcome is Outcome.VERSION
    assert (item.version, item.user, item.created_by, item.message) == (1, "ann", "ann", "why")
    assert item.changed == item.created == iso(NOW)


def test_the_condition_comes_before_the_function() -> None:
    head = updated(None, "F1", lambda _: change({}), CAUSE, None, 1).document

    def never(_: Document | None) -> Change:
        raise AssertionError("must not be asked")

    assert isinstance(updated(head, "F1", never, CAUSE, 2, 1).refusal, Stale)
    assert updated(head, "F1", lambda _: change({}), CAUSE, 1, 1).outcome is Outcome.VERSION


def test_a_condition_on_nothing_leaves_the_function_to_say_that_there_is_nothing() -> None:
    def missing(present: Document | None) -> Change:
        raise NotFound("no F1")

    assert isinstance(updated(None, "F1", missing, CAUSE, 1, 1).refusal, NotFound)
    assert isinstance(updated(None, "F1", lambda _: change({}), CAUSE, 1, 1).refusal, Stale)


def test_only_a_cause_that_may_come_again_leaves_a_refusal_behind() -> None:
    nobody = Cause(NOW, "ann", Trace("correlation"))

    def refuse(_: Document | None) -> Change:
        raise Conflict("no")

    def later(_: Document | None) -> Change:
        raise Refused("too many", slug="rate", status=429)

    assert updated(None, "F1", refuse, CAUSE, None, 1).must_be_stored(CAUSE)
    assert not updated(None, "F1", refuse, nobody, None, 1).must_be_stored(nobody)
    assert not updated(None, "F1", later, CAUSE, None, 1).must_be_stored(CAUSE)


def test_an_amendment_keeps_the_version() -> None:
    head = first_version("F1", {"A": 1}, CAUSE, 1)._replace(side={"Hosts": 1})
    decision = amended(head, "F1", lambda document: ({"Hosts": document.side["Hosts"] + 1}, ()), CAUSE)
    assert (decision.outcome, decision.document) == (Outcome.AMENDED, head._replace(side={"Hosts": 2}))
    assert amended(head, "F1", lambda _: None, CAUSE).outcome is Outcome.SAME
    assert isinstance(amended(None, "F1", lambda _: ({}, ()), CAUSE).refusal, NotFound)


def test_an_open_write_has_the_same_messages_each_time() -> None:
    decision = updated(None, "F1", lambda _: change({"A": 1}), CAUSE, None, 1)
    outcome = StoredOutcome.of_decision(decision, CAUSE, "thing", "F1")
    write = OpenWrite.of(1, outcome, decision.events, CAUSE)
    first, again = (write.messages("F1", decision.document, "thing_svc") for _ in range(2))
    assert first == again
    with pytest.raises(ValueError, match="not stored"):
        write.messages("F1", None, "thing_svc")


@given(st.lists(st.sampled_from(["set", "delete", "same", "refuse", "amend"]), max_size=30))
def test_versions_count_up_by_one_whatever_happens(steps: list[str]) -> None:
    head: Document | None = None
    for number, step in enumerate(steps):
        before = head.version if head else 0

        def act(present: Document | None, step: str = step, number: int = number) -> Change | None:
            assert present is None or not present.deleted
            if step == "refuse":
                raise Conflict("no")
            return {"set": change({"N": number}), "delete": change(None)}.get(step)

        if step == "amend":
            decision = amended(head, "F1", lambda _, number=number: ({"N": number}, ()), CAUSE)  # type: ignore[misc]
        else:
            decision = updated(head, "F1", act, CAUSE, None, 1)
        made = decision.outcome is Outcome.VERSION
        if decision.outcome in (Outcome.VERSION, Outcome.AMENDED):
            head = decision.document
        assert (head.version if head else 0) == before + made
        if head is not None and head.deleted:
            assert head.side == {}


def test_answers_of_http_keys_are_kept_for_a_day_and_of_messages_for_a_month() -> None:
    assert retention_of("\nann\n/fleet\nkey").total_seconds() == 86_400
    assert retention_of("\nann lee\n/fleet/F1\nkey").total_seconds() == 86_400
    assert retention_of("fleet.created/F1:1:fleet.created").days == 30
    assert retention_of("kcat/0001").days == 30


def test_names_of_answers_never_meet() -> None:
    own, one = record_ids("c", "thing", "F1")
    assert own == "c"
    assert len({own, one, record_ids("c", "thing", "F2")[1], record_ids("c", "other", "F1")[1]}) == 4

"""Who the caller of a request or of a command is, and the form of an action's name."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from shared.envelope import Message
from shared.errors import BadInput
from shared.schemas.base import AuditMetadata
from shared.security import (
    ANONYMOUS,
    PrincipalKind,
    author_of,
    authorize,
    caller_of_http,
    caller_of_message,
    check_action,
)
from shared.trace import Trace

COMMAND = Message(
    "event.commands", "CreateEvent", "PD2024", b"{}", "tests", datetime(2024, 6, 15, tzinfo=UTC), Trace.begin()
)


def test_the_caller_of_a_request_is_named_by_x_epic_user() -> None:
    ann = caller_of_http([(b"host", b"epic"), (b"x-epic-user", b"ann")])
    assert (ann.name, ann.kind) == ("ann", PrincipalKind.DECLARED)
    assert caller_of_http([(b"host", b"epic")]) == ANONYMOUS


def test_the_caller_of_a_command_is_named_by_ce_user() -> None:
    assert caller_of_message(dataclasses.replace(COMMAND, user="ann")).name == "ann"
    assert caller_of_message(COMMAND) == ANONYMOUS


def test_a_body_names_the_author_only_for_an_anonymous_caller() -> None:
    ann, audit = caller_of_http([(b"x-epic-user", b"ann")]), AuditMetadata(user="bob")
    assert author_of(ann, audit) == "ann"
    assert author_of(ANONYMOUS, audit) == "bob"
    assert author_of(ANONYMOUS, AuditMetadata()) == author_of(ANONYMOUS, None) == "anonymous"


@pytest.mark.parametrize("name", [b"", b"x" * 256, b"\xa0ann"])
def test_a_name_that_no_event_could_carry_is_no_author(name: bytes) -> None:
    with pytest.raises(BadInput):
        author_of(caller_of_http([(b"x-epic-user", name)]), None)


def test_everybody_may_do_everything_today() -> None:
    authorize(ANONYMOUS, "event.delete")


def test_an_action_is_a_resource_and_a_verb() -> None:
    for action in ("event.create", "hotw.run.start", "dead-letter.replay"):
        check_action(action)
    for other in ("", "event", "Event.create", "event.", ".create", "event create"):
        with pytest.raises(ValueError, match="is no action"):
            check_action(other)

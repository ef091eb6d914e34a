"""Traces: where they begin, how they go on, and what is taken from a caller."""

from __future__ import annotations

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from shared.trace import Trace, bind_trace, current_trace, new_id, parse_traceparent

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_valid_trace_context_of_a_caller_is_taken() -> None:
    assert parse_traceparent(TRACEPARENT) == TRACEPARENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        TRACEPARENT[:-1],
        TRACEPARENT.upper(),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "ff" + TRACEPARENT[2:],
        "00-4bf92f3577b34da6a3ce929d0e0e473\u00e6-00f067aa0ba902b7-01",
    ],
)
def test_an_invalid_trace_context_of_a_caller_is_ignored(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_new_trace_has_a_valid_trace_context_of_its_own() -> None:
    one, two = Trace.begin(), Trace.begin()

    assert one.traceparent is not None
    assert parse_traceparent(one.traceparent) == one.traceparent
    assert len({one.correlation_id, two.correlation_id, one.traceparent, two.traceparent}) == 4


def test_a_new_trace_joins_the_open_span() -> None:
    span = NonRecordingSpan(
        SpanContext(int("4bf92f3577b34da6a3ce929d0e0e4736", 16), 0xF067AA0BA902B7, False, TraceFlags(1))
    )

    with use_span(span):
        assert Trace.begin().traceparent == TRACEPARENT


def test_a_stored_trace_is_the_list_of_its_members() -> None:
    trace = Trace("corr", None, TRACEPARENT)

    assert Trace(*list(trace)) == trace  # type: ignore[arg-type]


def test_the_bound_trace_is_the_current_one_within() -> None:
    with bind_trace(Trace("corr")):
        assert current_trace() == Trace("corr")
    assert current_trace() != Trace("corr")


def test_ids_are_32_hexadecimal_digits() -> None:
    ids = {new_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)

"""The trace of an effect: correlation, causation and W3C trace context, from the first call to the last log line.

OpenTelemetry's API is used where a trace begins or enters: ``Trace.begin`` joins the span that an operator's
instrumentation has open, and ``parse_traceparent`` checks what a caller sends. In between a trace is three strings:
to parse and inject a context costs the API some 20 µs, as much as all else that is done for one record.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, Protocol

from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import Poison

_TRACEPARENT: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_random: Final = random.Random()  # the kernel's generator would cost a tenth of a request, and ids are no secrets
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """A random id for a message, a request or a correlation: 32 hexadecimal digits."""
    return f"{_random.getrandbits(128):032x}"


class Trace(NamedTuple):
    """Stored as the list of its three members.

    ``correlation_id`` is the same for all effects of a first call; ``causation_id`` is the id of the direct cause;
    ``traceparent`` is the W3C trace context.
    """

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    @staticmethod
    def begin(correlation_id: str | None = None, traceparent: str | None = None) -> Trace:
        """The trace of something without a cause: a first call, or a periodic job."""
        if traceparent is None:
            span = get_current_span().get_span_context()
            traceparent = _traceparent(span) if span.is_valid else f"00-{new_id()}-{_random.getrandbits(64):016x}-01"
        return Trace(correlation_id or new_id(), None, traceparent)


def parse_traceparent(text: str) -> str | None:
    """The W3C trace context that a caller sent; None when it is not valid."""
    context = _PROPAGATOR.extract({_TRACEPARENT: text})
    span = get_current_span(context).get_span_context()
    return _traceparent(span) if span.is_valid else None


def _traceparent(span: SpanContext) -> str:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


class Traced(Protocol):
    """Something whose effects belong to a trace, which is read from it only when somebody asks."""

    @property
    def effect(self) -> Trace: ...


_current: ContextVar[Trace | Traced | None] = ContextVar("epic_trace", default=None)

follow_trace: Final[Callable[[Traced], object]] = _current.set
"""Makes the effects of a message belong to its trace, until the next message or the end of the calling task.

For a task that handles many messages one after another: it costs a hundredth of ``bind_trace``.
"""


def current_trace() -> Trace:
    """The trace of the request or message in work; a new one outside of both."""
    present = _current.get()
    if present is None:
        return Trace.begin()
    return present if isinstance(present, Trace) else present.effect


@contextmanager
def bind_trace(trace: Trace) -> Iterator[Trace]:
    """Makes ``trace`` the current one within."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def add_trace_ids(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: adds the ids of the current trace to every line."""
    if _current.get() is not None:
        try:
            trace = current_trace()
        except Poison:  # a line about a message whose headers cannot be read
            return line
        line.setdefault("correlation_id", trace.correlation_id)
        if trace.causation_id:
            line.setdefault("causation_id", trace.causation_id)
    return line

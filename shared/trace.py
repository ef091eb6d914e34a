"""Owns what ties an effect to its first cause: correlation, causation and W3C trace ids, also in every log line."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.errors import Poison

__all__ = ["Trace", "Traced", "add_trace_ids", "bind_trace", "current_trace", "follow_trace", "new_id"]


def new_id() -> str:
    """A random id for a message, a request or a correlation."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Trace:
    """``correlation_id`` is one for all that follows from a first call; ``causation_id`` is the direct cause's id."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    @staticmethod
    def begin(correlation_id: str | None = None, traceparent: str | None = None) -> Trace:
        """The trace of something nobody caused: a first call, or a sweep."""
        return Trace(
            correlation_id or new_id(), None, traceparent or f"00-{uuid.uuid4().hex}-{secrets.token_hex(8)}-01"
        )

    def caused_by(self, message_id: str) -> Trace:
        """The trace of what a message causes."""
        return Trace(self.correlation_id, message_id, self.traceparent)


class Traced(Protocol):
    """Something whose effects belong to a trace, read from it only when that is asked for."""

    @property
    def effect(self) -> Trace: ...


_current: ContextVar[Trace | Traced | None] = ContextVar("epic_trace", default=None)

follow_trace: Final[Callable[[Traced], object]] = _current.set
"""Makes what a message causes belong to its trace, until the next message or the end of the calling task.

For a task that handles many messages one after another: a hundredth of what ``bind_trace`` costs.
"""


def current_trace() -> Trace:
    """The trace of the request or message being handled; a new one outside of both."""
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
    """A structlog processor: the ids of the current trace in every line."""
    if _current.get() is not None:
        try:
            trace = current_trace()
        except Poison:  # a line about a message whose headers cannot be read
            return line
        line.setdefault("correlation_id", trace.correlation_id)
        if trace.causation_id:
            line.setdefault("causation_id", trace.causation_id)
    return line

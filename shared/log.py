"""Owns how EPIC logs: one line an event on stdout, as JSON or as text, the standard library's loggers included."""

from __future__ import annotations

import atexit
import functools
import io
import logging
import sys
import threading
import time
from collections import deque
from typing import Any, Final, Literal, TextIO, cast

import orjson
import structlog

from shared.trace import add_trace_ids

__all__ = ["configure_logging"]

_QUIET: Final = ("aiokafka", "faststream", "pymongo", "sqlalchemy.engine", "uvicorn.access", "aiosqlite")
_GATHER: Final = 0.02
_SPARED: Final = ("aiokafka", "pymongo")  # they say ten times a second that a server is still away
_SPARED_SECONDS: Final = 10.0


def configure_logging(
    level: str = "info",
    format: Literal["json", "text"] = "json",
    service: str | None = None,
    stream: TextIO | None = None,
) -> None:
    """Sends every logger's lines to ``stream`` (stdout unless given); the ids of ``shared.trace`` are in each line.

    ``service`` names the process in every line; where one process runs several, each binds its own. EPIC's own lines
    do not pass through the standard library, which would cost four times as much.
    """
    out = stream or _gathered(sys.stdout)
    threshold = logging.getLevelName(level.upper())
    told: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace_ids,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_json)]
        if format == "json"
        else [structlog.dev.ConsoleRenderer(colors=(stream or sys.stdout).isatty())]
    )
    structlog.configure(
        processors=[*told, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_in_the_standard_library(out, threshold, told, shown)
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)


class _Gathered(io.TextIOBase):
    """Takes lines without waiting for the disk or the pipe: a thread writes what has gathered, every few milliseconds.

    A write of its own for each line would halve what a busy service does. The end of the process writes the rest.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: deque[str] = deque()
        self._some = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._go_on, name="log", daemon=True).start()
        atexit.register(self.write_out)

    def write(self, text: str) -> int:
        self._lines.append(text)
        if not self._some.is_set():
            self._some.set()
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread does it."""

    def write_out(self) -> None:
        """Writes what has gathered, now."""
        with self._writing:
            self._some.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                self._out.write("".join(lines))
                self._out.flush()

    def _go_on(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_GATHER)
            try:
                self.write_out()
            except (OSError, ValueError):  # whoever read the output is gone: there is nobody to tell
                return


class _Sparing(logging.Filter):
    """Lets a client's message through once in ten seconds, whatever it was about; the next says how many were not."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _SPARED:
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        since, left_out = self._said.get(kind, (-_SPARED_SECONDS, 0))
        if now - since < _SPARED_SECONDS:
            self._said[kind] = (since, left_out + 1)
            return False
        self._said[kind] = (now, 0)
        if left_out:
            record.left_out = left_out
        return True


@functools.cache
def _gathered(out: TextIO) -> TextIO:
    return cast("TextIO", _Gathered(out))


def _take_in_the_standard_library(
    out: TextIO, threshold: int, told: list[structlog.typing.Processor], shown: list[structlog.typing.Processor]
) -> None:
    handler = logging.StreamHandler(out)
    handler.addFilter(_Sparing())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*told, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _as_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()

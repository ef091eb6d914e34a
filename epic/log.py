"""Logging: one line per event, as JSON or as text, for EPIC's own loggers and those of the standard library."""

from __future__ import annotations

import atexit
import functools
import io
import logging
import queue
import sys
import time
from collections.abc import Callable
from logging.handlers import QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO, cast

import orjson
import structlog

from shared.trace import add_trace_ids

_WARNINGS_ONLY: Final = ("aiokafka", "faststream", "pymongo", "sqlalchemy.engine", "uvicorn.access", "aiosqlite")
_REPETITIVE: Final = ("aiokafka", "pymongo")  # they repeat ten times a second that a server is still away
_REPEAT_SECONDS: Final = 10.0
_FILE_BYTES: Final = 50_000_000  # with the file before it, a data folder keeps at most twice as much of logs


def configure_logging(
    level: str = "info", format: Literal["json", "text"] = "json", *, file: Path | None = None
) -> None:
    """Sends the lines of every logger to ``file``, or else to stdout, with the trace ids in each line.

    EPIC's own lines do not pass through the standard library's loggers, which would cost four times as much.
    """
    out = cast("TextIO", _Lines(_queued_stdout(sys.stdout) if file is None else _rotated(file)))
    threshold = logging.getLevelName(level.upper())
    enriched: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_trace_ids,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_json)]
        if format == "json"
        else [structlog.dev.ConsoleRenderer(colors=file is None and sys.stdout.isatty())]
    )
    structlog.configure(
        processors=[*enriched, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _redirect_standard_library(out, threshold, enriched, rendered)


class _Lines(io.TextIOBase):
    """A stream whose lines are handled as log records without any further formatting."""

    def __init__(self, handle: Callable[[logging.LogRecord], object]) -> None:
        self._handle = handle

    def write(self, text: str) -> int:
        self._handle(logging.makeLogRecord({"msg": text}))
        return len(text)


def _rotated(file: Path) -> Callable[[logging.LogRecord], object]:
    handler = RotatingFileHandler(file, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True)
    handler.terminator = ""
    return handler.handle


@functools.cache
def _queued_stdout(out: TextIO) -> Callable[[logging.LogRecord], object]:
    """A thread writes the lines, so that no request waits for a pipe; the rest is written when the process ends."""
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = _Stdout(out)
    handler.terminator = ""
    listener = QueueListener(lines, handler)
    listener.start()
    atexit.register(listener.stop)
    return lines.put


class _Stdout(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Whoever read the output is gone; the service goes on."""


class _RepetitionFilter(logging.Filter):
    """Passes a client's message once in ten seconds, whatever its arguments; the next one counts those left out."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _REPETITIVE:
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        since, left_out = self._last.get(kind, (-_REPEAT_SECONDS, 0))
        if now - since < _REPEAT_SECONDS:
            self._last[kind] = (since, left_out + 1)
            return False
        self._last[kind] = (now, 0)
        if left_out:
            record.left_out = left_out
        return True


def _redirect_standard_library(
    out: TextIO, threshold: int, enriched: list[structlog.typing.Processor], rendered: list[structlog.typing.Processor]
) -> None:
    handler = logging.StreamHandler(out)
    handler.addFilter(_RepetitionFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*enriched, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _WARNINGS_ONLY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _as_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()

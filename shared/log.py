"""Owns how EPIC logs: one line an event on stdout, as JSON or as text, the standard library's loggers included."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, Literal, TextIO

import orjson
import structlog

__all__ = ["configure_logging"]

_QUIET: Final = ("aiokafka", "faststream", "pymongo", "sqlalchemy.engine", "uvicorn.access", "aiosqlite")


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
    out = stream or sys.stdout
    threshold = logging.getLevelName(level.upper())
    told: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_json)]
        if format == "json"
        else [structlog.dev.ConsoleRenderer()]
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


def _take_in_the_standard_library(
    out: TextIO, threshold: int, told: list[structlog.typing.Processor], shown: list[structlog.typing.Processor]
) -> None:
    handler = logging.StreamHandler(out)
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

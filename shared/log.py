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

    ``service`` names the process in every line; where one process runs several, each binds its own.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_as_json) if format == "json" else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if format == "json" else []),
                renderer,
            ],
        )
    )
    threshold = logging.getLevelName(level.upper())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    structlog.configure(
        processors=[*shared[:-1], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)


def _as_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()

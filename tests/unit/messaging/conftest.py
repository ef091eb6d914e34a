"""Owns how the messaging tests log: plainly, without the cost of a coloured traceback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(["level", "event"]),
        ]
    )
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()

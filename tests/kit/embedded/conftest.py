"""The log that these tests write to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.embedded import DurableLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[DurableLog]:
    async with DurableLog(tmp_path / "data") as log:
        yield log

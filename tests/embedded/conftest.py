"""Owns what every service's tests begin with: settings, and the clock of the reference's example."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.clock import FixedClock
from shared.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2024-06-15T09:00:00Z")

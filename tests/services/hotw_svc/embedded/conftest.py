"""hotw_svc on a log of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from epic.configuration import load_settings
from shared.settings import Settings
from tests.support.clock import FixedClock
from tests.support.embedded_stack import open_stack
from tests.support.hotw_stack import Hotw
from tests.support.hotw_store import AZ_FACTORS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path, az_factor_map=AZ_FACTORS)


@pytest.fixture
async def stack(settings: Settings, clock: FixedClock) -> AsyncIterator[Hotw]:
    async with open_stack(Hotw, settings, clock) as stack:
        yield stack

"""The bench that batches are settled at."""

from __future__ import annotations

import pytest

from tests.kit.messaging.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
